//! The stored form of everything a person typed: encrypted under the data key of its case, bound to its row.

use std::fmt;

use prost::Message;
use tocsin_platform::seal::{self, DataKey, Encrypted, SealError};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Bytes of a nonce, which stands before the ciphertext.
const NONCE_BYTES: usize = 24;

/// Names the row that a sealed column belongs to, so that no row can be moved to another case or place.
pub(crate) fn place(table: &str, case: Uuid, row: impl fmt::Display) -> String {
    format!("{table}:{case}:{row}")
}

/// Encrypts a message for a `sealed` column.
pub(crate) fn close(key: &DataKey, place: &str, content: &impl Message) -> Result<Vec<u8>, SealError> {
    close_bytes(key, place, &Zeroizing::new(content.encode_to_vec()))
}

/// Decrypts what [`close`] made.
pub(crate) fn open<M: Message + Default>(key: &DataKey, place: &str, stored: &[u8]) -> Result<M, SealError> {
    M::decode(open_bytes(key, place, stored)?.as_slice()).map_err(|_| SealError::Malformed)
}

/// Encrypts a text for a `sealed` column.
pub(crate) fn close_text(key: &DataKey, place: &str, text: &str) -> Result<Vec<u8>, SealError> {
    close_bytes(key, place, text.as_bytes())
}

/// Decrypts what [`close_text`] made.
pub(crate) fn open_text(key: &DataKey, place: &str, stored: &[u8]) -> Result<String, SealError> {
    String::from_utf8(open_bytes(key, place, stored)?.to_vec()).map_err(|_| SealError::Malformed)
}

/// Encrypts bytes.
pub(crate) fn close_bytes(key: &DataKey, place: &str, content: &[u8]) -> Result<Vec<u8>, SealError> {
    Ok(joined(&seal::encrypt(key, place, content)?))
}

/// Decrypts bytes.
pub(crate) fn open_bytes(key: &DataKey, place: &str, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, ciphertext) = stored.split_at_checked(NONCE_BYTES).ok_or(SealError::Malformed)?;
    seal::decrypt(key, place, &Encrypted { nonce: nonce.to_vec(), ciphertext: ciphertext.to_vec() })
}

/// A nonce and its ciphertext as one column.
pub(crate) fn joined(encrypted: &Encrypted) -> Vec<u8> {
    [encrypted.nonce.as_slice(), encrypted.ciphertext.as_slice()].concat()
}

/// What a case knows beside its report. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct CaseFacts {
    /// The reference, given when the case opens; it names the country.
    #[prost(string, tag = "1")]
    pub(crate) reference: String,
    /// The name of who owns the case.
    #[prost(string, tag = "2")]
    pub(crate) coordinator_name: String,
}

impl fmt::Debug for CaseFacts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CaseFacts [redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_opens_only_in_its_own_place() {
        let key = DataKey::generate().unwrap();
        let facts = CaseFacts { reference: "XA-2026-0001".into(), coordinator_name: "Noor".into() };
        let home = place("cases", Uuid::nil(), 1);
        let stored = close(&key, &home, &facts).unwrap();
        assert_eq!(open::<CaseFacts>(&key, &home, &stored).unwrap(), facts);
        assert!(open::<CaseFacts>(&key, &place("cases", Uuid::nil(), 2), &stored).is_err());
        assert!(open::<CaseFacts>(&DataKey::generate().unwrap(), &home, &stored).is_err());
        assert!(open::<CaseFacts>(&key, &home, &stored[..10]).is_err());
        assert!(!stored.windows(4).any(|window| window == b"Noor"));
        assert_eq!(format!("{facts:?}"), "CaseFacts [redacted]");
    }
}

//! Idempotency keys: a client that sends a request again with its key gets the first answer, never a second effect.
//!
//! Nothing that rests in the table can be read without the key itself: the key only as a hash, the body only as a
//! keyed hash under it, the answer encrypted under it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tocsin_platform::failure::Failure;
use tocsin_platform::seal::{self, DataKey, Encrypted, SealError};
use zeroize::Zeroizing;

/// The shortest and the longest key, in characters.
const KEY_CHARS: std::ops::RangeInclusive<usize> = 8..=128;
/// Bytes of the nonce that stands before a stored answer.
const NONCE_BYTES: usize = 24;

/// What a key is used for. The same key for another use is another key.
pub(crate) enum Use<'a> {
    /// Submitting a report.
    SubmitReport,
    /// Adding a message to the report with this receipt hash.
    AddMessage(&'a [u8; 32]),
}

/// A key as the client chose it.
pub(crate) struct IdempotencyKey(Zeroizing<String>);

impl IdempotencyKey {
    /// Checks the key. `place` says where it belongs, as `the header Idempotency-Key`.
    pub(crate) fn parse(given: &str, place: &str) -> Result<Self, Failure> {
        if given.is_empty() {
            return Err(Failure::invalid(
                "IDEMPOTENCY_KEY_MISSING",
                format!(
                    "send {place}: 8 to 128 visible ASCII characters, best a random UUID; keep it and send it again \
                     with the same content when you try again, so that nothing is taken twice"
                ),
            ));
        }
        if !KEY_CHARS.contains(&given.len()) || !given.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::invalid(
                "IDEMPOTENCY_KEY_INVALID",
                format!("{place} must be 8 to 128 visible ASCII characters without spaces, best a random UUID"),
            ));
        }
        Ok(Self(Zeroizing::new(given.to_owned())))
    }

    /// What this key makes of a body, for one use.
    pub(crate) fn slot(&self, used_for: &Use<'_>, body: &[u8]) -> Result<Slot, SealError> {
        let mut secret = Zeroizing::new(match used_for {
            Use::SubmitReport => b"submit_report\0".to_vec(),
            Use::AddMessage(receipt_hash) => [b"add_message\0".as_slice(), receipt_hash.as_slice(), b"\0"].concat(),
        });
        secret.extend_from_slice(self.0.as_bytes());
        let key_hash = Sha256::new().chain_update(b"tocsin idempotency key v1\0").chain_update(&*secret).finalize();
        let body_key = DataKey::derive("idempotent body", &secret)?;
        let body_mac = Hmac::<Sha256>::new_from_slice(body_key.as_bytes())
            .map_err(|_| SealError::InvalidKey { kind: "body key" })?
            .chain_update(body)
            .finalize();
        Ok(Slot {
            key_hash: key_hash.into(),
            body_mac: body_mac.into_bytes().into(),
            answer_key: DataKey::derive("idempotent answer", &secret)?,
        })
    }
}

/// One key with one body.
pub(crate) struct Slot {
    /// Finds the stored answer.
    pub(crate) key_hash: [u8; 32],
    /// The same only for the same body.
    pub(crate) body_mac: [u8; 32],
    answer_key: DataKey,
}

impl Slot {
    /// Encrypts the answer for the table.
    pub(crate) fn seal_answer(&self, answer: &[u8]) -> Result<Vec<u8>, SealError> {
        let Encrypted { nonce, ciphertext } = seal::encrypt(&self.answer_key, &self.associated(), answer)?;
        Ok([nonce, ciphertext].concat())
    }

    /// Decrypts an answer from the table.
    pub(crate) fn open_answer(&self, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, ciphertext) = stored.split_at_checked(NONCE_BYTES).ok_or(SealError::Malformed)?;
        let encrypted = Encrypted { nonce: nonce.to_vec(), ciphertext: ciphertext.to_vec() };
        seal::decrypt(&self.answer_key, &self.associated(), &encrypted)
    }

    fn associated(&self) -> String {
        format!("idempotency:{}", hex::encode(self.key_hash))
    }
}

/// The keys whose first request is still being worked on in this process.
#[derive(Clone, Default)]
pub(crate) struct InProgress {
    keys: Arc<Mutex<HashSet<[u8; 32]>>>,
}

impl InProgress {
    /// Takes a key until the guard is dropped, or says that its first request is not answered yet.
    pub(crate) fn enter(&self, slot: &Slot) -> Result<InProgressGuard, Failure> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.insert(slot.key_hash) {
            return Ok(InProgressGuard { keys: Arc::clone(&self.keys), key_hash: slot.key_hash });
        }
        Err(Failure::aborted(
            "IDEMPOTENCY_KEY_IN_PROGRESS",
            "a request with this idempotency key is still being worked on; send it again shortly to get its answer",
        )
        .retry_after(Duration::from_secs(1)))
    }
}

/// Frees its key when dropped.
pub(crate) struct InProgressGuard {
    keys: Arc<Mutex<HashSet<[u8; 32]>>>,
    key_hash: [u8; 32],
}

impl Drop for InProgressGuard {
    fn drop(&mut self) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key_hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_visible_ascii_of_the_right_length_is_a_key() {
        check("", Some("IDEMPOTENCY_KEY_MISSING"));
        check("1234567", Some("IDEMPOTENCY_KEY_INVALID"));
        check("12345678", None);
        check(&"k".repeat(128), None);
        check(&"k".repeat(129), Some("IDEMPOTENCY_KEY_INVALID"));
        check("with a space", Some("IDEMPOTENCY_KEY_INVALID"));
        check("clé-de-test", Some("IDEMPOTENCY_KEY_INVALID"));
        check("line\r\nbreak", Some("IDEMPOTENCY_KEY_INVALID"));
    }

    #[test]
    fn an_answer_opens_only_under_its_own_key_and_use() {
        let slot = slot("first-key", &Use::SubmitReport, b"body");
        let stored = slot.seal_answer(b"eight words").unwrap();
        assert!(!stored.windows(5).any(|window| window == b"eight"));
        assert_eq!(slot.open_answer(&stored).unwrap().as_slice(), b"eight words");
        for other in [
            self::slot("other-key", &Use::SubmitReport, b"body"),
            self::slot("first-key", &Use::AddMessage(&[1; 32]), b"body"),
            self::slot("first-key", &Use::AddMessage(&[2; 32]), b"body"),
        ] {
            assert_ne!(other.key_hash, slot.key_hash);
            assert_ne!(other.body_mac, slot.body_mac);
            assert!(other.open_answer(&stored).is_err());
        }
        assert_ne!(self::slot("first-key", &Use::SubmitReport, b"another").body_mac, slot.body_mac);
        assert!(slot.open_answer(b"short").is_err());
    }

    #[test]
    fn a_key_is_in_progress_until_its_guard_is_dropped() {
        let keys = InProgress::default();
        let slot = slot("first-key", &Use::SubmitReport, b"body");
        let guard = keys.enter(&slot).unwrap();
        assert_eq!(keys.enter(&slot).err().unwrap().reason, "IDEMPOTENCY_KEY_IN_PROGRESS");
        drop(guard);
        assert!(keys.enter(&slot).is_ok());
    }

    fn check(given: &str, reason: Option<&str>) {
        assert_eq!(IdempotencyKey::parse(given, "the key").err().map(|failure| failure.reason), reason, "{given:?}");
    }

    fn slot(key: &str, used_for: &Use<'_>, body: &[u8]) -> Slot {
        IdempotencyKey::parse(key, "the key").unwrap().slot(used_for, body).unwrap()
    }
}

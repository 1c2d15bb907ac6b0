//! The token of the page that acknowledges: it names one alert and one contact, and only dispatch can make one.
//!
//! Nothing is stored for it. It is base64url of a version byte, the alert's id, the contact's id and the first 16 bytes
//! of an HMAC-SHA256 over the rest.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tocsin_domain::id::{AlertId, ContactId};
use tocsin_platform::seal::{MasterKey, SealError};
use uuid::Uuid;

const VERSION: u8 = 1;
const ALERT_BYTES: usize = 16;
const MAC_BYTES: usize = 16;
/// A contact's id has at most 64 characters, so no token is longer than this.
const TOKEN_CHARS_MAX: usize = 136;

/// The two local keys of dispatch: one signs tokens, the other hashes references for look-up.
#[derive(Clone)]
pub(crate) struct LocalKeys {
    token: Hmac<Sha256>,
    reference: Hmac<Sha256>,
}

impl std::fmt::Debug for LocalKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LocalKeys([redacted])")
    }
}

impl LocalKeys {
    /// Both keys, derived from the key file.
    pub(crate) fn derive(file: &MasterKey) -> Result<Self, SealError> {
        let key = |purpose: &str| {
            let key = file.derive(purpose)?;
            Hmac::new_from_slice(key.as_bytes()).map_err(|_| SealError::InvalidKey { kind: "token key" })
        };
        Ok(Self { token: key("dispatch acknowledge token")?, reference: key("dispatch reference lookup")? })
    }

    /// The token with which one contact acknowledges one alert.
    pub(crate) fn issue(&self, alert: AlertId, contact: &ContactId) -> String {
        let mut bytes = Vec::with_capacity(1 + ALERT_BYTES + contact.as_str().len() + MAC_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(alert.as_uuid().as_bytes());
        bytes.extend_from_slice(contact.as_str().as_bytes());
        let mac = self.token.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend(mac.iter().take(MAC_BYTES));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whom and what a token names; `None` when dispatch did not make it.
    pub(crate) fn verify(&self, token: &str) -> Option<(AlertId, ContactId)> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, mac) = bytes.split_last_chunk::<MAC_BYTES>()?;
        self.token.clone().chain_update(signed).verify_truncated_left(mac).ok()?;
        let (version, rest) = signed.split_first()?;
        let (alert, contact) = rest.split_first_chunk::<ALERT_BYTES>()?;
        if *version != VERSION {
            return None;
        }
        let contact = std::str::from_utf8(contact).ok()?.parse().ok()?;
        Some((AlertId::from_uuid(Uuid::from_bytes(*alert)), contact))
    }

    /// The keyed hash under which a reference is found.
    pub(crate) fn reference_mac(&self, reference: &str) -> Vec<u8> {
        self.reference.clone().chain_update(reference.as_bytes()).finalize().into_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secret: u8) -> LocalKeys {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.key");
        let write = |text: String| {
            use std::os::unix::fs::OpenOptionsExt as _;
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        };
        write(hex::encode([secret; 32]));
        LocalKeys::derive(&MasterKey::load_or_create(&path).unwrap()).unwrap()
    }

    #[test]
    fn a_token_names_its_contact_and_alert() {
        let alert = AlertId::from_uuid(Uuid::from_u128(7));
        for contact in ["org-001-c1", "c", &"a".repeat(64)] {
            let contact: ContactId = contact.parse().unwrap();
            let token = keys(1).issue(alert, &contact);
            assert!(token.len() <= TOKEN_CHARS_MAX, "{}", token.len());
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            assert_eq!(keys(1).verify(&token), Some((alert, contact)));
        }
    }

    #[test]
    fn a_forged_token_names_nobody() {
        let alert = AlertId::from_uuid(Uuid::from_u128(7));
        let token = keys(1).issue(alert, &"org-001-c1".parse().unwrap());
        assert_eq!(keys(2).verify(&token), None, "another key");
        for given in ["", "A", "====", "é", &"A".repeat(200), &token[1..], &format!("{token}A")] {
            assert_eq!(keys(1).verify(given), None, "{given}");
        }
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            assert_eq!(keys(1).verify(&URL_SAFE_NO_PAD.encode(changed)), None, "byte {position}");
        }
    }

    #[test]
    fn a_reference_is_found_again_under_the_same_key_only() {
        let mac = keys(1).reference_mac("XA-2026-0001");
        assert_eq!(mac, keys(1).reference_mac("XA-2026-0001"));
        assert_ne!(mac, keys(1).reference_mac("XA-2026-0002"));
        assert_ne!(mac, keys(2).reference_mac("XA-2026-0001"));
    }
}

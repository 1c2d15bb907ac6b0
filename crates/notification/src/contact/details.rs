//! What is personal about a contact, as one sealed piece.

use serde::{Deserialize, Serialize};
use tocsin_domain::channel::Channel;
use tocsin_platform::seal::{DataKey, Encrypted, SealError, decrypt, encrypt};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of the nonce at the beginning of the stored form.
const NONCE_BYTES: usize = 24;

/// Addresses, number, word and secret of one contact. `Debug` shows nothing; the memory is wiped on drop.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Details {
    pub(crate) role: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) webhook: String,
    pub(crate) webhook_secret: String,
    pub(crate) shared_word: String,
    /// The armored OpenPGP key, empty for none.
    #[serde(default)]
    pub(crate) openpgp_key: String,
    #[serde(default)]
    pub(crate) signal: String,
    #[serde(default)]
    pub(crate) matrix: String,
    /// How webhooks are signed, separated by spaces; empty for v1.
    #[serde(default)]
    pub(crate) webhook_signatures: String,
    /// The key of v1a, with its public half.
    #[serde(default)]
    pub(crate) webhook_signing_key: String,
    /// What signed before rotations, the newest first.
    #[serde(default)]
    pub(crate) webhook_keys_before: Vec<KeysBefore>,
}

/// Keys of a webhook that a rotation has replaced.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct KeysBefore {
    pub(crate) secret: String,
    pub(crate) signing_key: String,
    /// Until when they still sign.
    pub(crate) until_ms: i64,
}

impl Drop for KeysBefore {
    fn drop(&mut self) {
        self.secret.zeroize();
        self.signing_key.zeroize();
    }
}

impl std::fmt::Debug for Details {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl Drop for Details {
    fn drop(&mut self) {
        for text in [
            &mut self.role,
            &mut self.email,
            &mut self.phone,
            &mut self.webhook,
            &mut self.webhook_secret,
            &mut self.shared_word,
            &mut self.openpgp_key,
            &mut self.signal,
            &mut self.matrix,
            &mut self.webhook_signing_key,
        ] {
            text.zeroize();
        }
    }
}

impl Details {
    /// Where the contact is reached by a channel; empty when it is not.
    pub(crate) fn address(&self, channel: Channel) -> &str {
        match channel {
            Channel::Email => &self.email,
            Channel::Sms => &self.phone,
            Channel::Webhook => &self.webhook,
            Channel::Signal => &self.signal,
            Channel::Matrix => &self.matrix,
        }
    }

    /// The stored form, bound to the contact's id.
    pub(crate) fn seal(&self, key: &DataKey, contact_id: &str) -> Result<Vec<u8>, SealError> {
        // Strings and numbers always serialise.
        let plain = Zeroizing::new(serde_json::to_vec(self).map_err(|_| SealError::Malformed)?);
        let sealed = encrypt(key, &associated(contact_id), &plain)?;
        Ok([sealed.nonce, sealed.ciphertext].concat())
    }

    /// Reads the stored form.
    pub(crate) fn open(key: &DataKey, contact_id: &str, stored: &[u8]) -> Result<Self, SealError> {
        let (nonce, ciphertext) = stored.split_at_checked(NONCE_BYTES).ok_or(SealError::Malformed)?;
        let encrypted = Encrypted { nonce: nonce.to_vec(), ciphertext: ciphertext.to_vec() };
        let plain = decrypt(key, &associated(contact_id), &encrypted)?;
        serde_json::from_slice(&plain).map_err(|_| SealError::Malformed)
    }
}

fn associated(contact_id: &str) -> String {
    format!("contact:{contact_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_open_for_their_own_contact_only() {
        let key = DataKey::generate().unwrap();
        let mut details = Details::default();
        "canary@org-1.example".clone_into(&mut details.email);
        let stored = details.seal(&key, "org-1-c1").unwrap();
        assert!(!stored.windows(6).any(|window| window == b"canary"));
        assert_eq!(Details::open(&key, "org-1-c1", &stored).unwrap(), details);
        assert!(Details::open(&key, "org-1-c2", &stored).is_err());
        assert_eq!(format!("{details:?}"), "[redacted]");
    }
}

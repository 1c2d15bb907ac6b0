//! Signatures of webhooks as Standard Webhooks 1.0 has them: HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What every secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret that we make.
const SECRET_BYTES: usize = 32;

/// The text is not a webhook secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is whsec_ followed by the base64 of 24 to 64 bytes")]
pub(crate) struct SecretError;

/// A member's webhook secret; never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct WebhookSecret {
    bytes: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl WebhookSecret {
    /// A fresh random secret; fails when the system has no randomness.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new(vec![0; SECRET_BYTES]);
        getrandom::fill(&mut bytes)?;
        Ok(Self { bytes })
    }

    /// Reads the text form.
    pub(crate) fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError)?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| SecretError)?);
        if (24..=64).contains(&bytes.len()) { Ok(Self { bytes }) } else { Err(SecretError) }
    }

    /// The text form, for the member.
    pub(crate) fn to_text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(self.bytes.as_slice()))
    }

    /// The value of `webhook-signature`.
    pub(crate) fn sign(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        // HMAC takes a key of any length, so this has a value whatever the secret.
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.bytes) else { return String::new() };
        let signed = mac
            .chain_update(id.as_bytes())
            .chain_update(b".")
            .chain_update(timestamp_seconds.to_string().as_bytes())
            .chain_update(b".")
            .chain_update(body)
            .finalize()
            .into_bytes();
        format!("v1,{}", STANDARD.encode(signed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_signs_the_same() {
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_survive_their_text_form_and_are_not_shown() {
        let secret = WebhookSecret::generate().unwrap();
        assert_eq!(WebhookSecret::parse(&secret.to_text()), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "[redacted]");
        for given in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!"] {
            assert_eq!(WebhookSecret::parse(given), Err(SecretError), "{given}");
        }
    }
}

//! Signatures of webhooks as Standard Webhooks 1.0 has them, over `id.timestamp.body`: `v1` is HMAC-SHA256 under a secret
//! that both sides hold, `v1a` is ed25519, which the member checks with a public key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What every shared secret begins with.
const SECRET_PREFIX: &str = "whsec_";
/// What a signing key begins with.
const SIGNING_PREFIX: &str = "whsk_";
/// What a public key begins with.
const PUBLIC_PREFIX: &str = "whpk_";
/// Bytes of a secret that we make.
const SECRET_BYTES: usize = 32;

/// The text is not a webhook secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is whsec_ followed by the base64 of 24 to 64 bytes")]
pub(crate) struct SecretError;

/// Names none of the schemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signature scheme is v1 (HMAC-SHA256) or v1a (ed25519)")]
pub(crate) struct SchemeError;

/// How a webhook is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    V1,
    V1a,
}

impl Scheme {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1a => "v1a",
        }
    }
}

impl std::str::FromStr for Scheme {
    type Err = SchemeError;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        [Self::V1, Self::V1a].into_iter().find(|scheme| scheme.as_str() == given).ok_or(SchemeError)
    }
}

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
        let encoded = text.strip_prefix(SECRET_PREFIX).ok_or(SecretError)?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| SecretError)?);
        if (24..=64).contains(&bytes.len()) { Ok(Self { bytes }) } else { Err(SecretError) }
    }

    /// The text form, for the member.
    pub(crate) fn to_text(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(self.bytes.as_slice()))
    }

    fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        // HMAC takes a key of any length, so this has a value whatever the secret.
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.bytes) else { return String::new() };
        let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        let signed = parts.into_iter().fold(mac, Mac::chain_update).finalize().into_bytes();
        format!("v1,{}", STANDARD.encode(signed))
    }
}

/// The key with which we sign for one member; never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct WebhookSigningKey {
    key: SigningKey,
}

impl std::fmt::Debug for WebhookSigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl WebhookSigningKey {
    /// A fresh key; fails when the system has no randomness.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(seed.as_mut_slice())?;
        Ok(Self { key: SigningKey::from_bytes(&seed) })
    }

    /// Reads the text form, in which the public half follows the private one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.strip_prefix(SIGNING_PREFIX)?).ok()?);
        let pair = Zeroizing::new(<[u8; 64]>::try_from(bytes.as_slice()).ok()?);
        SigningKey::from_keypair_bytes(&pair).ok().map(|key| Self { key })
    }

    /// The text form, for keeping.
    pub(crate) fn to_text(&self) -> String {
        format!("{SIGNING_PREFIX}{}", STANDARD.encode(Zeroizing::new(self.key.to_keypair_bytes()).as_slice()))
    }

    /// The public half, for the member.
    pub(crate) fn public_text(&self) -> String {
        format!("{PUBLIC_PREFIX}{}", STANDARD.encode(self.key.verifying_key().as_bytes()))
    }

    fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
        format!("v1a,{}", STANDARD.encode(self.key.sign(&message).to_bytes()))
    }
}

/// Everything with which the webhooks of one contact are signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WebhookKeys {
    pub(crate) secret: Option<WebhookSecret>,
    pub(crate) signing_key: Option<WebhookSigningKey>,
    /// Those before rotations, which still sign for a while; the newest first.
    pub(crate) before: Vec<WebhookKeysBefore>,
}

/// What signed before a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebhookKeysBefore {
    pub(crate) secret: Option<WebhookSecret>,
    pub(crate) signing_key: Option<WebhookSigningKey>,
    /// In seconds since 1970.
    pub(crate) until_seconds: i64,
}

impl WebhookKeys {
    /// Whether anything signs at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.secret.is_none() && self.signing_key.is_none()
    }

    /// The value of `webhook-signature`: every key's signature, the newest first.
    pub(crate) fn sign(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        let timestamp = timestamp_seconds.to_string();
        let before = self.before.iter().filter(|before| timestamp_seconds < before.until_seconds);
        let secrets = self.secret.iter().chain(before.clone().filter_map(|before| before.secret.as_ref()));
        let keys = self.signing_key.iter().chain(before.filter_map(|before| before.signing_key.as_ref()));
        let signed = secrets.map(|secret| secret.sign(id, &timestamp, body));
        signed.chain(keys.map(|key| key.sign(id, &timestamp, body))).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_signs_the_same() {
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_and_keys_survive_their_text_form_and_are_not_shown() {
        let secret = WebhookSecret::generate().unwrap();
        assert_eq!(WebhookSecret::parse(&secret.to_text()), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "[redacted]");
        for given in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!"] {
            assert_eq!(WebhookSecret::parse(given), Err(SecretError), "{given}");
        }
        let key = WebhookSigningKey::generate().unwrap();
        assert_eq!(WebhookSigningKey::parse(&key.to_text()), Some(key.clone()));
        assert_eq!(format!("{key:?}"), "[redacted]");
        assert_eq!(WebhookSigningKey::parse(&key.public_text()), None);
    }

    #[test]
    fn both_sign_during_a_rotation_and_only_the_new_one_after_it() {
        let secret = |byte| Some(WebhookSecret { bytes: Zeroizing::new(vec![byte; 32]) });
        let key = |byte| Some(WebhookSigningKey { key: SigningKey::from_bytes(&[byte; 32]) });
        let before = WebhookKeysBefore { secret: secret(1), signing_key: key(1), until_seconds: 1_000 };
        let keys = WebhookKeys { secret: secret(2), signing_key: key(2), before: vec![before] };
        let schemes = |timestamp| {
            let signed = keys.sign("n1", timestamp, b"{}");
            signed.split(' ').map(|one| one.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(schemes(999), ["v1", "v1", "v1a", "v1a"]);
        assert_eq!(schemes(1_000), ["v1", "v1a"]);
        assert!(WebhookKeys::default().is_empty() && !keys.is_empty());
    }
}

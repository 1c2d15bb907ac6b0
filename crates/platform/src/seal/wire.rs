//! Sealed content and public keys in messages.

use tocsin_proto::common::v1;

use super::{PublicSealingKey, SealError, Sealed};

impl From<Sealed> for v1::Sealed {
    fn from(sealed: Sealed) -> Self {
        let Sealed { key_id, encapsulated, wrapped_key, nonce, ciphertext } = sealed;
        Self { key_id, encapsulated, wrapped_key, nonce, ciphertext }
    }
}

impl From<v1::Sealed> for Sealed {
    /// Any message will do: what is not sealed well does not open.
    fn from(sealed: v1::Sealed) -> Self {
        let v1::Sealed { key_id, encapsulated, wrapped_key, nonce, ciphertext } = sealed;
        Self { key_id, encapsulated, wrapped_key, nonce, ciphertext }
    }
}

impl From<&PublicSealingKey> for v1::PublicSealingKey {
    fn from(key: &PublicSealingKey) -> Self {
        Self { id: key.id.clone(), key: key.bytes.clone() }
    }
}

impl TryFrom<v1::PublicSealingKey> for PublicSealingKey {
    type Error = SealError;

    fn try_from(wire: v1::PublicSealingKey) -> Result<Self, Self::Error> {
        let key = Self::from_bytes(&wire.key)?;
        if key.id == wire.id { Ok(key) } else { Err(SealError::InvalidKey { kind: "public sealing key with this id" }) }
    }
}

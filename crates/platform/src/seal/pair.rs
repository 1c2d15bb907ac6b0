//! Sealing key pairs of the X-Wing key encapsulation (X25519 with ML-KEM-768).

use std::fmt;

use hpke::kem::{Kem as _, XWing};
use hpke::{Deserializable, Serializable};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{SealError, random};

/// Bytes of the secret half: the seed from which both halves follow.
const SECRET_BYTES: usize = 32;

/// The half that anyone may have: seals, never opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicSealingKey {
    /// 32 hexadecimal digits of the hash of the key; names it in what is sealed to it.
    pub id: String,
    /// The 1,216 bytes of the key.
    pub bytes: Vec<u8>,
}

impl PublicSealingKey {
    /// A key from its bytes, checked; the id follows from them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        parse_public(bytes)?;
        Ok(Self { id: key_id(bytes), bytes: bytes.to_vec() })
    }

    /// The key as the cipher suite wants it. Fails when the bytes are no key, or the id is not theirs.
    pub(super) fn parsed(&self) -> Result<<XWing as hpke::Kem>::PublicKey, SealError> {
        if self.id != key_id(&self.bytes) {
            return Err(SealError::InvalidKey { kind: "public sealing key with this id" });
        }
        parse_public(&self.bytes)
    }
}

fn parse_public(bytes: &[u8]) -> Result<<XWing as hpke::Kem>::PublicKey, SealError> {
    <XWing as hpke::Kem>::PublicKey::from_bytes(bytes).map_err(|_| SealError::InvalidKey { kind: "public sealing key" })
}

fn key_id(bytes: &[u8]) -> String {
    let digest = Sha256::new().chain_update(b"tocsin sealing key v1\0").chain_update(bytes).finalize();
    hex::encode(digest.get(..16).unwrap_or_default())
}

/// Both halves. The secret half is wiped from memory when dropped and never printed.
#[derive(Clone)]
pub struct SealingKeyPair {
    secret: Zeroizing<[u8; SECRET_BYTES]>,
    public: PublicSealingKey,
}

impl fmt::Debug for SealingKeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealingKeyPair({}, [redacted])", self.public.id)
    }
}

impl SealingKeyPair {
    /// A fresh random pair.
    pub fn generate() -> Result<Self, SealError> {
        Self::from_seed(random()?)
    }

    /// The pair that belongs to these 32 secret bytes.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let seed = bytes.try_into().map_err(|_| SealError::InvalidKey { kind: "secret sealing key" })?;
        Self::from_seed(Zeroizing::new(seed))
    }

    fn from_seed(secret: Zeroizing<[u8; SECRET_BYTES]>) -> Result<Self, SealError> {
        let private = private_key(&secret)?;
        let bytes = XWing::sk_to_pk(&private).to_bytes().to_vec();
        Ok(Self { secret, public: PublicSealingKey { id: key_id(&bytes), bytes } })
    }

    /// The public half.
    pub fn public(&self) -> &PublicSealingKey {
        &self.public
    }

    /// The 32 secret bytes; wrap them before they go anywhere.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.secret.to_vec())
    }

    pub(super) fn private(&self) -> Result<<XWing as hpke::Kem>::PrivateKey, SealError> {
        private_key(&self.secret)
    }
}

fn private_key(secret: &[u8; SECRET_BYTES]) -> Result<<XWing as hpke::Kem>::PrivateKey, SealError> {
    <XWing as hpke::Kem>::PrivateKey::from_bytes(secret)
        .map_err(|_| SealError::InvalidKey { kind: "secret sealing key" })
}

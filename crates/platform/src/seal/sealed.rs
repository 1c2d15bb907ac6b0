//! Sealing to a reader's public key, opening, and the stored form of what is sealed.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

use super::symmetric::{DataKey, Encrypted, decrypt, encrypt};
use super::{PublicSealingKey, SealError, SealingKeyPair};

/// The HPKE `info`: nothing sealed for another purpose or version opens here.
const SEAL_INFO: &[u8] = b"tocsin seal v1";
/// The first byte of the stored form.
const STORED_VERSION: u8 = 1;

/// Content sealed to one reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the public key it is sealed to.
    pub key_id: String,
    /// The encapsulated shared secret, 1,120 bytes.
    pub encapsulated: Vec<u8>,
    /// The data key under that secret, 48 bytes.
    pub wrapped_key: Vec<u8>,
    /// The nonce of the content, 24 bytes.
    pub nonce: Vec<u8>,
    /// The padded content under the data key.
    pub ciphertext: Vec<u8>,
}

/// Seals `plaintext` to a reader. `associated` names what it belongs to, as `report:<id>`, and must be given again to
/// open it: moved to another row or message, it does not open.
pub fn seal(to: &PublicSealingKey, associated: &str, plaintext: &[u8]) -> Result<Sealed, SealError> {
    let recipient = to.parsed()?;
    let key = DataKey::generate()?;
    let Encrypted { nonce, ciphertext } = encrypt(&key, associated, plaintext)?;
    let (encapsulated, wrapped_key) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &recipient,
        SEAL_INFO,
        key.as_bytes(),
        associated.as_bytes(),
    )
    .map_err(|_| SealError::InvalidKey { kind: "public sealing key" })?;
    Ok(Sealed { key_id: to.id.clone(), encapsulated: encapsulated.to_bytes().to_vec(), wrapped_key, nonce, ciphertext })
}

/// Opens what [`seal`] made.
pub fn open(pair: &SealingKeyPair, associated: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
    open_with(&unwrap_key(pair, sealed, associated)?, associated, sealed)
}

/// The data key alone, to be wrapped again into a key store.
pub fn unwrap_key(pair: &SealingKeyPair, sealed: &Sealed, associated: &str) -> Result<DataKey, SealError> {
    if sealed.key_id != pair.public().id {
        return Err(SealError::WrongKey { sealed_to: sealed.key_id.clone(), given: pair.public().id.clone() });
    }
    let encapsulated =
        <XWing as hpke::Kem>::EncappedKey::from_bytes(&sealed.encapsulated).map_err(|_| SealError::Malformed)?;
    let key = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &pair.private()?,
        &encapsulated,
        SEAL_INFO,
        &sealed.wrapped_key,
        associated.as_bytes(),
    )
    .map_err(|_| SealError::DoesNotOpen)?;
    DataKey::from_bytes(&Zeroizing::new(key))
}

/// Opens with a data key that was unwrapped earlier.
pub fn open_with(key: &DataKey, associated: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let encrypted = Encrypted { nonce: sealed.nonce.clone(), ciphertext: sealed.ciphertext.clone() };
    decrypt(key, associated, &encrypted)
}

impl Sealed {
    /// The stored form, for a database column: a version byte, then each field behind its length (big-endian u32).
    pub fn to_bytes(&self) -> Vec<u8> {
        let fields = [self.key_id.as_bytes(), &self.encapsulated, &self.wrapped_key, &self.nonce, &self.ciphertext];
        let size: usize = fields.iter().map(|field| field.len() + 4).sum();
        let mut bytes = Vec::with_capacity(size + 1);
        bytes.push(STORED_VERSION);
        for field in fields {
            // No field comes near 4 GiB, because content is limited to far less.
            bytes.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(field);
        }
        bytes
    }

    /// Reads the stored form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let (version, mut rest) = bytes.split_first().ok_or(SealError::Malformed)?;
        if *version != STORED_VERSION {
            return Err(SealError::Malformed);
        }
        let mut field = || -> Result<Vec<u8>, SealError> {
            let (length, after) = rest.split_first_chunk::<4>().ok_or(SealError::Malformed)?;
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SealError::Malformed)?;
            let (value, after) = after.split_at_checked(length).ok_or(SealError::Malformed)?;
            rest = after;
            Ok(value.to_vec())
        };
        let sealed = Self {
            key_id: String::from_utf8(field()?).map_err(|_| SealError::Malformed)?,
            encapsulated: field()?,
            wrapped_key: field()?,
            nonce: field()?,
            ciphertext: field()?,
        };
        if rest.is_empty() { Ok(sealed) } else { Err(SealError::Malformed) }
    }
}

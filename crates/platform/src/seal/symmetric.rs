//! Data keys and what they encrypt: XChaCha20-Poly1305 with a random nonce, the caller's ids as associated data.

use std::fmt;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{SealError, padding, random};

/// The most bytes one item may have before padding.
pub const PLAINTEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a data key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce.
pub(super) const NONCE_BYTES: usize = 24;
/// Bytes that the cipher appends.
const TAG_BYTES: usize = 16;
/// Keeps items apart from wrapped keys under the same key.
const DATA_DOMAIN: &str = "tocsin data v1";

/// A key for one item or one case; wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct DataKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DataKey([redacted])")
    }
}

impl DataKey {
    /// A fresh random key.
    pub fn generate() -> Result<Self, SealError> {
        Ok(Self { bytes: random()? })
    }

    /// A key derived by HKDF-SHA256 from a secret with enough entropy of its own; `purpose` keeps uses apart.
    pub fn derive(purpose: &str, secret: &[u8]) -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(Some(b"tocsin derived key v1"), secret)
            .expand(purpose.as_bytes(), bytes.as_mut_slice())
            .map_err(|_| SealError::InvalidKey { kind: "data key" })?;
        Ok(Self { bytes })
    }

    /// A key from its 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let bytes = bytes.try_into().map_err(|_| SealError::InvalidKey { kind: "data key" })?;
        Ok(Self { bytes: Zeroizing::new(bytes) })
    }

    /// The 32 bytes, for wrapping only.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key: &[u8; KEY_BYTES] = &self.bytes;
        XChaCha20Poly1305::new(key.into())
    }
}

/// Something encrypted under a data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// 24 random bytes.
    pub nonce: Vec<u8>,
    /// The padded content with its tag.
    pub ciphertext: Vec<u8>,
}

/// Encrypts under `key`. `associated` names what it belongs to, as `report:<id>`, and must be given again to decrypt.
pub fn encrypt(key: &DataKey, associated: &str, plaintext: &[u8]) -> Result<Encrypted, SealError> {
    let padded = padding::pad(plaintext, TAG_BYTES)?;
    encrypt_raw(key, DATA_DOMAIN, associated, padded)
}

/// Decrypts what [`encrypt`] made.
pub fn decrypt(key: &DataKey, associated: &str, encrypted: &Encrypted) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let padded = decrypt_raw(key, DATA_DOMAIN, associated, &encrypted.nonce, &encrypted.ciphertext)?;
    padding::unpad(&padded)
}

/// Encrypts without padding, in place; the buffer should have room for the tag.
pub(super) fn encrypt_raw(
    key: &DataKey,
    domain: &str,
    associated: &str,
    mut buffer: Zeroizing<Vec<u8>>,
) -> Result<Encrypted, SealError> {
    let nonce = random::<NONCE_BYTES>()?;
    let given = buffer.len();
    key.cipher()
        .encrypt_in_place((&*nonce).into(), &bound(domain, associated), &mut *buffer)
        .map_err(|_| SealError::TooLong { given, max: PLAINTEXT_BYTES_MAX })?;
    Ok(Encrypted { nonce: nonce.to_vec(), ciphertext: std::mem::take(&mut *buffer) })
}

/// Decrypts without unpadding.
pub(super) fn decrypt_raw(
    key: &DataKey,
    domain: &str,
    associated: &str,
    nonce: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let nonce: &[u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Malformed)?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    key.cipher()
        .decrypt_in_place(nonce.into(), &bound(domain, associated), &mut *buffer)
        .map_err(|_| SealError::DoesNotOpen)?;
    Ok(buffer)
}

/// The associated data: the domain, a zero byte, the ids. No domain contains a zero byte, so no two pairs are the same.
fn bound(domain: &str, associated: &str) -> Vec<u8> {
    [domain.as_bytes(), &[0], associated.as_bytes()].concat()
}

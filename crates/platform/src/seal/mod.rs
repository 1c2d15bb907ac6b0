//! Sealing: content is encrypted in memory before anything is written or published.
//!
//! A fresh data key per item encrypts it (XChaCha20-Poly1305, with the ids as associated data); the data key is wrapped
//! to the reader's public key with HPKE (X-Wing, HKDF-SHA256, ChaCha20-Poly1305), so that what is recorded today stays
//! closed to the computers of tomorrow. Whoever destroys a data key shreds the item everywhere, backups included.

mod master;
mod padding;
mod pair;
mod receipt;
mod sealed;
mod symmetric;
mod wire;

pub use master::{MasterKey, is_open_to_others};
pub use pair::{PublicSealingKey, SealingKeyPair};
pub use receipt::{RECEIPT_WORDS, Receipt, ReceiptError};
pub use sealed::{Sealed, open, open_with, seal, unwrap_key};
pub use symmetric::{DataKey, Encrypted, PLAINTEXT_BYTES_MAX, decrypt, encrypt};

/// Why something could not be sealed or opened. Never quotes content or keys.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The operating system gave no randomness.
    #[error("the system gave no randomness: nothing can be sealed safely")]
    Random,
    /// The bytes are not a key of this kind.
    #[error("these bytes are not a {kind}")]
    InvalidKey {
        /// What was expected.
        kind: &'static str,
    },
    /// It is sealed to another key.
    #[error("this is sealed to the key {sealed_to}, not to {given}")]
    WrongKey {
        /// The id of the key that opens it.
        sealed_to: String,
        /// The id of the key that was tried.
        given: String,
    },
    /// It was changed, cut or belongs to other ids.
    #[error("this does not open: it was changed, or it belongs to something else")]
    DoesNotOpen,
    /// The stored form does not parse.
    #[error("these bytes are not a sealed item")]
    Malformed,
    /// The plaintext is over the limit.
    #[error("the content has {given} bytes; at most {max} can be sealed")]
    TooLong {
        /// Bytes given.
        given: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The master key file cannot be read or written.
    #[error("the master key file {path} cannot be used")]
    MasterKeyFile {
        /// The path of the file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no master key file, and none can be made.
    #[error(
        "the key file {path} is missing and cannot be made there: mount the one that the other processes of this service \
         use; for a new installation make it with `tocsin secrets new`, or let this user write to `key_folder`"
    )]
    MasterKeyMissing {
        /// Where it should be.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The master key file can be read by others.
    #[error(
        "the master key file {path} can be read by others (mode {mode:o}): run `chmod 600` on it, or `chmod 640` where root owns it"
    )]
    MasterKeyOpen {
        /// The path of the file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
}

/// Randomness of the operating system.
fn random<const LENGTH: usize>() -> Result<zeroize::Zeroizing<[u8; LENGTH]>, SealError> {
    let mut bytes = zeroize::Zeroizing::new([0; LENGTH]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| SealError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;

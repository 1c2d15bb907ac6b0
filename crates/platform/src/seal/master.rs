//! The master key of one service's key store: a file that lives apart from the database and its backups.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::symmetric::{DataKey, NONCE_BYTES, decrypt_raw, encrypt_raw};
use super::{SealError, random};

/// Keeps wrapped keys apart from content under the same key.
const WRAP_DOMAIN: &str = "tocsin wrapped key v1";
/// More than this is no master key file.
const FILE_BYTES_MAX: u64 = 256;
/// Permission bits that let others in.
const OTHERS: u32 = 0o077;

/// Wraps data keys at rest. Wiped from memory when dropped and never printed.
#[derive(Clone)]
pub struct MasterKey {
    key: DataKey,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey([redacted])")
    }
}

impl MasterKey {
    /// Reads the key file, or makes one if there is none: 64 hexadecimal digits, mode 0600, synced with its folder
    /// before it is used, so that nothing is ever wrapped under a key that a power cut takes away. Blocks.
    pub fn load_or_create(path: &Path) -> Result<Self, SealError> {
        let failed = |source: io::Error| SealError::MasterKeyFile { path: path.display().to_string(), source };
        match File::open(path) {
            Ok(file) => Self::load(path, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path)?;
                // Read back what is there, because another process may have been quicker.
                Self::load(path, File::open(path).map_err(failed)?)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn load(path: &Path, file: File) -> Result<Self, SealError> {
        let failed = |source: io::Error| SealError::MasterKeyFile { path: path.display().to_string(), source };
        let mode = file.metadata().map_err(failed)?.mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(SealError::MasterKeyOpen { path: path.display().to_string(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        let bytes = hex::decode(text.trim()).map_err(|_| SealError::InvalidKey { kind: "master key file" })?;
        let key = DataKey::from_bytes(&Zeroizing::new(bytes))
            .map_err(|_| SealError::InvalidKey { kind: "master key file" })?;
        Ok(Self { key })
    }

    /// Wraps a data key; `associated` names what it opens and must be given again.
    pub fn wrap(&self, key: &DataKey, associated: &str) -> Result<Vec<u8>, SealError> {
        self.wrap_bytes(key.as_bytes(), associated)
    }

    /// Unwraps a data key.
    pub fn unwrap(&self, wrapped: &[u8], associated: &str) -> Result<DataKey, SealError> {
        DataKey::from_bytes(&self.unwrap_bytes(wrapped, associated)?)
    }

    /// Wraps other secret bytes, as the secret half of a sealing key pair.
    pub fn wrap_bytes(&self, secret: &[u8], associated: &str) -> Result<Vec<u8>, SealError> {
        let mut buffer = Zeroizing::new(Vec::with_capacity(secret.len() + 16));
        buffer.extend_from_slice(secret);
        let encrypted = encrypt_raw(&self.key, WRAP_DOMAIN, associated, buffer)?;
        Ok([encrypted.nonce, encrypted.ciphertext].concat())
    }

    /// A key of its own for one purpose, always the same for the same file, such as the secret half of a sealing key pair.
    pub fn derive(&self, purpose: &str) -> Result<DataKey, SealError> {
        DataKey::derive(purpose, self.key.as_bytes())
    }

    /// Unwraps what [`MasterKey::wrap_bytes`] made.
    pub fn unwrap_bytes(&self, wrapped: &[u8], associated: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, ciphertext) = wrapped.split_at_checked(NONCE_BYTES).ok_or(SealError::Malformed)?;
        decrypt_raw(&self.key, WRAP_DOMAIN, associated, nonce, ciphertext)
    }
}

/// Writes a fresh key beside the path and links it into place, so that the file is whole or absent, and never replaced.
fn create(path: &Path) -> Result<(), SealError> {
    let failed = |source: io::Error| SealError::MasterKeyFile { path: path.display().to_string(), source };
    let secret = random::<32>()?;
    let text = Zeroizing::new(format!("{}\n", hex::encode(secret.as_slice())));
    let suffix = hex::encode(random::<8>()?.as_slice());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let temporary = path.with_extension(format!("new-{suffix}"));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    })();
    let removed = match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    written.map_err(failed)?;
    removed.map_err(failed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

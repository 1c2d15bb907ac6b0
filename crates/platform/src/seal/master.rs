//! The master key of one service's key store: a file that lives apart from the database and its backups.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
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
/// The same for a file of root's: orchestrators mount secrets so, for a group of which only the service is a member.
const OTHERS_OF_ROOT: u32 = 0o037;

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

    /// What a new key file holds: a key in 64 hexadecimal digits, and the end of the line.
    pub fn new_file_text() -> Result<Zeroizing<String>, SealError> {
        let digits = Zeroizing::new(hex::encode(random::<32>()?.as_slice()));
        Ok(Zeroizing::new(format!("{}\n", digits.as_str())))
    }

    fn load(path: &Path, file: File) -> Result<Self, SealError> {
        let failed = |source: io::Error| SealError::MasterKeyFile { path: path.display().to_string(), source };
        let metadata = file.metadata().map_err(failed)?;
        if is_open_to_others(&metadata) {
            return Err(SealError::MasterKeyOpen { path: path.display().to_string(), mode: metadata.mode() & 0o777 });
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

/// Whether others than those whom it is for may read a file that holds a key.
pub fn is_open_to_others(file: &Metadata) -> bool {
    let others = if file.uid() == 0 { OTHERS_OF_ROOT } else { OTHERS };
    file.mode() & others != 0
}

/// Why no key was made: where nothing can be written, the right one has to come from elsewhere.
fn not_made(path: &Path, source: io::Error) -> SealError {
    let path = path.display().to_string();
    match source.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            SealError::MasterKeyMissing { path, source }
        }
        _ => SealError::MasterKeyFile { path, source },
    }
}

/// Writes a fresh key beside the path and links it into place, so that the file is whole or absent, and never replaced.
fn create(path: &Path) -> Result<(), SealError> {
    let failed = |source| not_made(path, source);
    let text = MasterKey::new_file_text()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_can_be_written_it_is_said_what_to_do() {
        let error = |kind: io::ErrorKind| not_made(Path::new("/keys/dispatch.key"), kind.into()).to_string();
        for kind in [io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::PermissionDenied] {
            let error = error(kind);
            assert!(error.contains("/keys/dispatch.key is missing") && error.contains("tocsin secrets new"), "{error}");
        }
        assert!(error(io::ErrorKind::StorageFull).contains("cannot be used"));
    }

    #[test]
    fn the_group_may_read_what_root_has_mounted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKey::load_or_create(&path).unwrap();
        let mode = |mode| {
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            MasterKey::load_or_create(&path).is_ok()
        };
        let of_root = fs::metadata(&path).unwrap().uid() == 0;
        assert_eq!((mode(0o640), mode(0o440)), (of_root, of_root));
        assert_eq!((mode(0o400), mode(0o660), mode(0o604)), (true, false, false));
        // The same is asked of any other file that holds a key.
        let open = |mode| {
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            is_open_to_others(&fs::metadata(&path).unwrap())
        };
        assert_eq!((open(0o640), open(0o600), open(0o644)), (!of_root, false, true));
    }
}

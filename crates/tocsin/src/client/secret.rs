//! Secrets at the command line: keys are read from a file or the environment, and written to files that only their
//! owner may read.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::exit::{Exit, Failed};

/// The variable that holds the key.
const KEY_VARIABLE: &str = "TOCSIN_KEY";
/// No key is longer; more than this is the wrong file.
const KEY_BYTES_MAX: u64 = 4096;

/// The key of whoever gives the command.
pub(super) fn key(file: Option<&Path>) -> Result<Zeroizing<String>, Failed> {
    let text = match file {
        Some(path) => from_file(path)?,
        None => Zeroizing::new(std::env::var(KEY_VARIABLE).unwrap_or_default()),
    };
    let key = text.trim();
    if key.is_empty() {
        let message = if file.is_some() { "the key file is empty" } else { "this needs a key, and none was given" };
        return Err(Failed::new(Exit::NotAllowed, message)
            .advise("put it in a file and say --key-file FILE, or set TOCSIN_KEY; an administrator issues one with `tocsin key issue`"));
    }
    Ok(Zeroizing::new(key.to_owned()))
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Failed> {
    let unreadable = |error| Failed::usage(format!("cannot read the key file {}: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().is_ok_and(|metadata| metadata.mode() & 0o077 != 0 && metadata.is_file()) {
        eprintln!("warning: others on this machine can read {}; run `chmod 600` on it", path.display());
    }
    let mut text = Zeroizing::new(String::new());
    file.take(KEY_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// A new file that only its owner may read. It is made before the secret is, so that no secret is lost for want of it.
#[derive(Debug)]
pub(super) struct SecretFile {
    name: String,
    file: File,
}

impl SecretFile {
    /// Makes the file; one that exists is never written over.
    pub(super) fn create(path: &Path) -> Result<Self, Failed> {
        let name = path.display().to_string();
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = made.map_err(|error| {
            Failed::usage(format!("cannot make the file {name}: {error}")).advise("name a file that does not exist yet")
        })?;
        Ok(Self { name, file })
    }

    /// Writes the text, to the disk.
    pub(super) fn write(&mut self, text: &str) -> Result<(), Failed> {
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|error| Failed::other(&format!("cannot write {}", self.name), &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_without_the_line_end_around_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "tcs_abc\n").unwrap();
        assert_eq!(key(Some(&path)).unwrap().as_str(), "tcs_abc");
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(key(Some(&path)).unwrap_err().exit, Exit::NotAllowed);
        assert_eq!(key(Some(&folder.path().join("absent"))).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_secret_file_is_its_owners_and_never_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        SecretFile::create(&path).unwrap().write("words").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(SecretFile::create(&path).unwrap_err().exit, Exit::Usage);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "words");
    }
}

//! Putting renewed certificates and keys in the place of the old ones, so that no reader meets half a file.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::both;
use crate::created::{PUBLIC_MODE, SECRET_MODE, cannot, sync_folder};
use crate::exit::Failed;

/// New contents for files of one folder that wait beside them, so that what can fail has failed before the first file is
/// replaced. Those that were not put in place go again.
pub(super) struct Staged {
    folder: PathBuf,
    files: Vec<Waiting>,
}

/// A new content beside the file that it shall replace.
struct Waiting {
    temporary: PathBuf,
    path: PathBuf,
}

impl Staged {
    /// Nothing yet, for the files of this folder.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), files: Vec::new() }
    }

    /// Writes a certificate and its key beside the present ones.
    pub(super) fn pair(&mut self, name: &str, certificate: &str, key: &str) -> Result<(), Failed> {
        let [certificate_path, key_path] = both(&self.folder, name);
        self.file(&key_path, key, SECRET_MODE)?;
        self.file(&certificate_path, certificate, PUBLIC_MODE)
    }

    /// Owner and mode become those of the old file, so that who could read that one can read the new one.
    fn file(&mut self, path: &Path, text: &str, mode: u32) -> Result<(), Failed> {
        // A key and its certificate differ in their ending only, so the temporary name keeps it.
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".new-{}", std::process::id()));
        let temporary = path.with_file_name(name);
        let written = (|| -> io::Result<()> {
            let old = fs::metadata(path).ok();
            let mut file = OpenOptions::new().write(true).create_new(true).mode(SECRET_MODE).open(&temporary)?;
            // Only what is made here may be taken away again.
            self.files.push(Waiting { temporary: temporary.clone(), path: path.to_owned() });
            file.write_all(text.as_bytes())?;
            let new = file.metadata()?;
            let mode = old.as_ref().map_or(mode, |old| old.permissions().mode() & 0o777);
            if let Some(old) = old.filter(|old| (old.uid(), old.gid()) != (new.uid(), new.gid())) {
                chown(&temporary, Some(old.uid()), Some(old.gid()))?;
            }
            file.set_permissions(Permissions::from_mode(mode))?;
            file.sync_all()
        })();
        written.map_err(|error| {
            cannot("renew", path, &error)
                .advise("run this as the owner of the files, or as root; the old ones are still in place")
        })
    }

    /// Puts every file in the place of its old one, each in one step.
    pub(super) fn replace(mut self) -> Result<(), Failed> {
        while let Some(Waiting { temporary, path }) = self.files.first() {
            fs::rename(temporary, path).map_err(|error| {
                cannot("renew", path, &error).advise("run this again: a key and its certificate may not fit together")
            })?;
            self.files.remove(0);
        }
        sync_folder(&self.folder).map_err(|error| cannot("sync", &self.folder, &error))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for waiting in &self.files {
            // What cannot be removed is named by the next try.
            let _ = fs::remove_file(&waiting.temporary);
        }
    }
}

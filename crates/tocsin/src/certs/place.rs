//! Writing certificates and keys: new ones beside nothing, renewed ones in one step, so that no reader meets half a file.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::both;
use crate::exit::Failed;

/// For the owner only.
pub(super) const KEY_MODE: u32 = 0o600;
/// Certificates are no secret.
pub(super) const CERTIFICATE_MODE: u32 = 0o644;

/// Files that were made together: unless they are kept, they go again together.
pub(super) struct Created {
    folder: PathBuf,
    files: Vec<PathBuf>,
}

impl Created {
    /// Begins with the folder, which is for its owner only when it is made here.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, Failed> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| cannot("make", folder, &error))?;
        Ok(Self { folder: folder.to_owned(), files: Vec::new() })
    }

    /// Writes a certificate and its key, over nothing.
    pub(super) fn pair(&mut self, folder: &Path, name: &str, certificate: &str, key: &str) -> Result<(), Failed> {
        let [certificate_path, key_path] = both(folder, name);
        self.file(&key_path, key, KEY_MODE)?;
        self.file(&certificate_path, certificate, CERTIFICATE_MODE)
    }

    fn file(&mut self, path: &Path, text: &str, mode: u32) -> Result<(), Failed> {
        // Only what is made here may be taken away again.
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
        let mut file = file.map_err(|error| cannot("make", path, &error))?;
        self.files.push(path.to_owned());
        let written = file
            .set_permissions(Permissions::from_mode(mode))
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all());
        written.map_err(|error| cannot("write", path, &error))
    }

    /// They are whole: they stay.
    pub(super) fn keep(mut self) -> Result<(), Failed> {
        sync_folder(&self.folder).map_err(|error| cannot("sync", &self.folder, &error))?;
        self.files.clear();
        Ok(())
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        for path in &self.files {
            // What cannot be removed is named by the next try.
            let _ = fs::remove_file(path);
        }
    }
}

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
        self.file(&key_path, key, KEY_MODE)?;
        self.file(&certificate_path, certificate, CERTIFICATE_MODE)
    }

    /// Owner and mode become those of the old file, so that who could read that one can read the new one.
    fn file(&mut self, path: &Path, text: &str, mode: u32) -> Result<(), Failed> {
        // A key and its certificate differ in their ending only, so the temporary name keeps it.
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".new-{}", std::process::id()));
        let temporary = path.with_file_name(name);
        let written = (|| -> io::Result<()> {
            let old = fs::metadata(path).ok();
            let mut file = OpenOptions::new().write(true).create_new(true).mode(KEY_MODE).open(&temporary)?;
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

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all())
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failed {
    Failed::other(&format!("cannot {what} {}", path.display()), error)
}

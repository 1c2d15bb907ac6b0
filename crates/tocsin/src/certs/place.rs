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

/// Puts a new content in place of a file in one step. Owner and mode stay as they were, so that who could read the old one
/// can read the new one.
pub(super) fn replace(path: &Path, text: &str, mode: u32) -> Result<(), Failed> {
    let old = fs::metadata(path).ok();
    let mode = old.as_ref().map_or(mode, |old| old.permissions().mode() & 0o777);
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let written = (|| -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(KEY_MODE).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        let new = file.metadata()?;
        if let Some(old) = old.filter(|old| (old.uid(), old.gid()) != (new.uid(), new.gid())) {
            chown(&temporary, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(cannot("renew", path, &error)
            .advise("run this as the owner of the file, or as root; the old one is still in place"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_folder(folder).map_err(|error| cannot("sync", folder, &error))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all())
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failed {
    Failed::other(&format!("cannot {what} {}", path.display()), error)
}

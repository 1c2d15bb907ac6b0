//! Files that are made together and over nothing: unless all of them are there whole, none stays.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::exit::Failed;

/// For the owner only.
pub(crate) const SECRET_MODE: u32 = 0o600;
/// What is no secret.
pub(crate) const PUBLIC_MODE: u32 = 0o644;

/// Files that were made together: unless they are kept, they go again together.
#[derive(Debug, Default)]
pub(crate) struct Created {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Created {
    /// Adds a folder for files to come, which is for its owner only when it is made here.
    pub(crate) fn folder(&mut self, folder: &Path) -> Result<(), Failed> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| cannot("make", folder, &error))?;
        self.folders.push(folder.to_owned());
        Ok(())
    }

    /// Writes a file over nothing, with this mode whatever the process's mask is.
    pub(crate) fn file(&mut self, path: &Path, text: &str, mode: u32) -> Result<(), Failed> {
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
    pub(crate) fn keep(mut self) -> Result<(), Failed> {
        for folder in &self.folders {
            sync_folder(folder).map_err(|error| cannot("sync", folder, &error))?;
        }
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

/// Makes the names in a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all())
}

/// A failure with the file that it is about.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> Failed {
    Failed::other(&format!("cannot {what} {}", path.display()), error)
}

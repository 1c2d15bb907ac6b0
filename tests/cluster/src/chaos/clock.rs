//! Clocks that can be set apart from the machine's: libfaketime in our own processes reads a file that the trial
//! rewrites. The monotonic clock stays true, as it does when an operator or NTP sets the time.

use std::fs;
use std::path::{Path, PathBuf};

use tocsin_tests::Outcome;

/// The clocks of one cluster.
#[derive(Debug, Clone)]
pub struct Clocks {
    library: PathBuf,
    folder: PathBuf,
}

impl Clocks {
    /// Where libfaketime is installed.
    pub fn find(folder: &Path) -> Outcome<Option<Self>> {
        let libraries = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let mut candidates = libraries.map(|entry| entry.path().join("faketime").join("libfaketimeMT.so.1"));
        let Some(library) = candidates.find(|path| path.is_file()) else { return Ok(None) };
        let folder = folder.join("clocks");
        fs::create_dir_all(&folder)?;
        Ok(Some(Self { library, folder }))
    }

    /// The environment of a process whose clock can be set; it starts at the true time.
    pub fn environment(&self, name: &str) -> Outcome<Vec<(String, String)>> {
        self.set(name, 0)?;
        let file = self.file(name).display().to_string();
        let settings = [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        ];
        Ok(settings.map(|(name, value)| (name.to_owned(), value)).to_vec())
    }

    /// Sets a process's clock to so many seconds beside the true time; it notices within a second.
    pub fn set(&self, name: &str, seconds: i64) -> Outcome<()> {
        let unfinished = self.file(&format!("{name}.new"));
        fs::write(&unfinished, format!("{seconds:+}\n"))?;
        Ok(fs::rename(unfinished, self.file(name))?)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

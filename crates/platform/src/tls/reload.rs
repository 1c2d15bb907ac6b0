//! What was made of certificate files, made again when they change, so that a renewal needs no restart.
//!
//! Contents are compared, not times: files that are swapped in through a symbolic link, as orchestrators do, keep old
//! times.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tracing::{info, warn};

use super::TlsError;

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Something made of files. Who takes [`Reloading::current`] for each new connection always has the newest.
#[derive(Debug)]
pub(crate) struct Reloading<T> {
    current: Arc<RwLock<Arc<T>>>,
}

impl<T> Clone for Reloading<T> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current) }
    }
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Makes it once, which may fail, and looks at the files from then on until the last clone is dropped. What became
    /// bad is told by name, once for each change, and the last good one stays. Blocks for as long as reading takes.
    pub(crate) fn start(
        files: Vec<PathBuf>,
        make: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        // Before the first reading: what changes in between is then found at the first look.
        let taken = fingerprint(&files);
        let current = Arc::new(RwLock::new(Arc::new(make()?)));
        let watched = Watched { files, make: Box::new(make), taken, doubt: None };
        tokio::spawn(watch(Arc::downgrade(&current), watched));
        Ok(Self { current })
    }

    /// The newest good one.
    pub(crate) fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn watch<T: Send + Sync + 'static>(current: Weak<RwLock<Arc<T>>>, mut watched: Watched<T>) {
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        if current.strong_count() == 0 {
            return;
        }
        let looking = tokio::task::spawn_blocking(move || {
            let found = watched.look();
            (watched, found)
        });
        // It fails only when the process ends.
        let Ok((looked, found)) = looking.await else { return };
        watched = looked;
        let path = watched.files.first().map_or(Path::new(""), PathBuf::as_path).display().to_string();
        match found {
            Found::Nothing => {}
            Found::New(made) => {
                let Some(current) = current.upgrade() else { return };
                *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(made);
                info!(path, "certificate files changed and were read again");
            }
            Found::Bad(error) => {
                let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
                warn!(
                    reason = format!("{error}{cause}"),
                    "certificate files changed and cannot be used; the last good ones stay in use until they are mended"
                );
            }
        }
    }
}

/// What a look found.
enum Found<T> {
    /// Nothing that was not known.
    Nothing,
    /// Files that can be used.
    New(T),
    /// Files that cannot.
    Bad(TlsError),
}

type Make<T> = Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>;

/// The files, and what was last seen of them.
struct Watched<T> {
    files: Vec<PathBuf>,
    make: Make<T>,
    /// Of what is in use.
    taken: Vec<Content>,
    /// What could not be used at the last look.
    doubt: Option<Doubt>,
}

/// Files that could not be used.
struct Doubt {
    seen: Vec<Content>,
    /// Whether that was told.
    told: bool,
}

impl<T> Watched<T> {
    /// A certificate and its key are two files, so a look may fall between their renewals: what cannot be used is told
    /// only when it is the same at the next look.
    fn look(&mut self) -> Found<T> {
        let seen = fingerprint(&self.files);
        if seen == self.taken {
            self.doubt = None;
            return Found::Nothing;
        }
        let known = self.doubt.take().filter(|doubt| doubt.seen == seen);
        match (self.make)() {
            Ok(made) => {
                self.taken = seen;
                Found::New(made)
            }
            Err(error) => {
                self.doubt = Some(Doubt { seen, told: known.is_some() });
                if known.is_some_and(|doubt| !doubt.told) { Found::Bad(error) } else { Found::Nothing }
            }
        }
    }
}

/// The hash of a file's content; none when it cannot be read.
type Content = Option<[u8; 32]>;

fn fingerprint(files: &[PathBuf]) -> Vec<Content> {
    files.iter().map(|path| std::fs::read(path).ok().map(|bytes| Sha256::digest(&bytes).into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_taken_and_a_bad_one_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        std::fs::write(&path, "1").unwrap();
        let from = path.clone();
        let make: Make<u32> = Box::new(move || {
            let text = std::fs::read_to_string(&from).unwrap();
            text.parse().map_err(|_| TlsError::NotPem { path: from.clone(), expected: "number" })
        });
        let files = vec![path.clone()];
        let taken = fingerprint(&files);
        let mut watched = Watched { files, make, taken, doubt: None };
        let mut look = |content: Option<&str>| {
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            match watched.look() {
                Found::Nothing => "nothing".to_owned(),
                Found::New(number) => format!("new {number}"),
                Found::Bad(error) => format!("bad {}", error.to_string().contains("number")),
            }
        };
        assert_eq!(look(None), "nothing");
        assert_eq!(look(Some("2")), "new 2");
        assert_eq!(look(None), "nothing");
        assert_eq!(look(Some("x")), "nothing", "it may be half of a renewal");
        assert_eq!(look(None), "bad true");
        assert_eq!(look(None), "nothing", "told once");
        assert_eq!(look(Some("y")), "nothing");
        assert_eq!(look(None), "bad true", "another change is told again");
        assert_eq!(look(Some("2")), "nothing", "what is in use came back");
        assert_eq!(look(Some("y")), "nothing");
        assert_eq!(look(Some("3")), "new 3");
    }
}

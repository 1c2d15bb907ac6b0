//! One reader's way along the feed: what it missed from the table, then what comes.
//!
//! It is bounded everywhere: a page of what was missed, the shared buffer of what comes, the age of the stream, and the
//! time for which a key counts without being looked at again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use rand::Rng as _;
use tocsin_platform::credentials::Principal;
use tocsin_platform::failure::Failure;
use tocsin_platform::lifecycle::Shutdown;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::cursor::{Cursor, resume};
use super::{Entry, read_after};
use crate::dispatch::{READERS, Reader, Shared};
use crate::error::DispatchError;
use crate::store;

/// Changes read at once while catching up.
const PAGE: u64 = 64;

/// The key behind an open stream, looked at again and again.
pub(crate) struct OpenKey {
    headers: HeaderMap,
    reader: Reader,
}

impl OpenKey {
    /// Checks the key in the headers of a request that opens a stream.
    pub(crate) async fn check(dispatch: &Shared, headers: HeaderMap) -> Result<Self, Failure> {
        let principal = dispatch.credentials.authenticate_headers(&headers).await?;
        let reader = reader(&principal)?;
        Ok(Self { headers, reader })
    }

    /// Checks it again: revoked, expired or changed keys end the stream.
    async fn check_again(&self, dispatch: &Shared) -> Result<(), Failure> {
        let principal = dispatch.credentials.authenticate_headers(&self.headers).await?;
        if reader(&principal)? == self.reader {
            return Ok(());
        }
        Err(Failure::forbidden("KEY_CHANGED", "this key no longer acts for the same organisation: sign in again"))
    }
}

fn reader(principal: &Principal) -> Result<Reader, Failure> {
    if principal.has_any(&READERS) {
        return Reader::of(principal);
    }
    let needed: Vec<_> = READERS.iter().map(ToString::to_string).collect();
    Err(Failure::forbidden("ROLE_NEEDED", format!("this needs one of the roles {}", needed.join(", "))))
}

/// An open stream.
pub(crate) struct Subscription {
    dispatch: Shared,
    shutdown: Shutdown,
    key: OpenKey,
    epoch: String,
    position: i64,
    missed: VecDeque<Arc<Entry>>,
    live: Option<broadcast::Receiver<Arc<Entry>>>,
    check_at: Instant,
    ends_at: Instant,
}

impl Subscription {
    /// Opens a stream that goes on after the cursor.
    pub(crate) async fn open(
        dispatch: &Shared,
        shutdown: &Shutdown,
        key: OpenKey,
        cursor: &str,
    ) -> Result<Self, Failure> {
        let bounds = store::feed::bounds(dispatch.database.reader()).await?;
        let position = resume(cursor, &bounds).map_err(DispatchError::from)?;
        let now = Instant::now();
        let age_seconds = u64::from(dispatch.config.stream_minutes_max) * 60;
        // Streams that were opened together, as after a restart, must not end together.
        let age = Duration::from_secs(age_seconds).mul_f64(rand::rng().random_range(0.9..1.0));
        Ok(Self {
            check_at: now + recheck_after(dispatch),
            ends_at: now + age,
            dispatch: Arc::clone(dispatch),
            shutdown: shutdown.clone(),
            key,
            epoch: bounds.epoch,
            position,
            missed: VecDeque::new(),
            live: None,
        })
    }

    /// The next change for this reader, or why the stream ends. After an error it must not be called again.
    pub(crate) async fn next(&mut self) -> Result<Arc<Entry>, Failure> {
        loop {
            self.may_go_on().await?;
            if let Some(entry) = self.missed.pop_front() {
                self.position = entry.position;
                if entry.is_stale(self.dispatch.clock.now_ms()) {
                    continue;
                }
                return Ok(entry);
            }
            let Some(live) = &mut self.live else {
                self.catch_up().await?;
                continue;
            };
            let next = tokio::select! {
                biased;
                () = self.shutdown.draining() => continue,
                () = tokio::time::sleep_until(self.ends_at.min(self.check_at)) => continue,
                next = live.recv() => next,
            };
            match next {
                Ok(entry) if entry.position > self.position && entry.is_for(&self.key.reader) => {
                    self.position = entry.position;
                    if !entry.is_stale(self.dispatch.clock.now_ms()) {
                        return Ok(entry);
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Err(self.too_slow()),
                Err(RecvError::Closed) => return Err(self.ended("this service is going away")),
            }
        }
    }

    /// Reads one page of what was missed, or goes live when there is none. Listening begins before the page is read, so
    /// that nothing falls between the two.
    async fn catch_up(&mut self) -> Result<(), Failure> {
        let live = self.dispatch.tail.subscribe();
        let page = read_after(&self.dispatch, &self.epoch, self.position, &self.key.reader, PAGE).await?;
        if page.is_empty() {
            self.live = Some(live);
        }
        self.missed.extend(page);
        Ok(())
    }

    async fn may_go_on(&mut self) -> Result<(), Failure> {
        if self.shutdown.is_draining() {
            return Err(self.ended("this service is going away"));
        }
        let now = Instant::now();
        if now >= self.ends_at {
            return Err(self.ended("this stream has reached its age limit"));
        }
        if now >= self.check_at {
            self.key.check_again(&self.dispatch).await?;
            self.check_at = now + recheck_after(&self.dispatch);
        }
        Ok(())
    }

    fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch.clone(), position: self.position }
    }

    fn ended(&self, why: &str) -> Failure {
        Failure::unavailable("STREAM_ENDED", format!("{why}: resume from the cursor {}", self.cursor()))
    }

    fn too_slow(&self) -> Failure {
        let message = format!("this reader is too slow: resume from the cursor {}", self.cursor());
        Failure::exhausted("READER_TOO_SLOW", message)
    }
}

fn recheck_after(dispatch: &Shared) -> Duration {
    Duration::from_secs(u64::from(dispatch.config.stream_recheck_seconds))
}

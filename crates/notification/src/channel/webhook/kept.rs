//! Connections at rest, kept for the next request to their host: so many for a host, so many in all, so long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use super::connection::Connection;

/// A connection in use all the time is opened anew after this, so that a member who moves is followed.
const AGE_MAX: Duration = Duration::from_mins(10);

/// What is kept at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeptLimits {
    pub(super) a_host: usize,
    pub(super) in_all: usize,
    pub(super) idle: Duration,
}

#[derive(Default)]
struct Resting {
    /// By host and port; the one used last stands last.
    by_host: HashMap<String, Vec<Connection>>,
    count: usize,
}

/// The connections at rest.
pub(super) struct Kept {
    resting: Arc<Mutex<Resting>>,
    limits: KeptLimits,
    sweeper: AbortHandle,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Kept").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.sweeper.abort();
    }
}

impl Kept {
    /// None yet. Must be called in a runtime: a task closes what has rested too long.
    pub(super) fn new(limits: KeptLimits) -> Self {
        let resting: Arc<Mutex<Resting>> = Arc::default();
        let swept = Arc::clone(&resting);
        let sweeper = tokio::spawn(async move {
            loop {
                tokio::time::sleep(limits.idle / 2).await;
                sweep(&swept, limits.idle);
            }
        });
        Self { resting, limits, sweeper: sweeper.abort_handle() }
    }

    /// A connection to this host that is still good.
    pub(super) fn take(&self, destination: &str) -> Option<Connection> {
        loop {
            let mut connection = self.pop(destination)?;
            if !connection.is_old(self.limits.idle, AGE_MAX) && connection.is_at_rest() {
                return Some(connection);
            }
        }
    }

    fn pop(&self, destination: &str) -> Option<Connection> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let line = resting.by_host.get_mut(destination)?;
        let connection = line.pop();
        if line.is_empty() {
            resting.by_host.remove(destination);
        }
        resting.count -= usize::from(connection.is_some());
        connection
    }

    /// Keeps a connection, if it is at rest and there is room.
    pub(super) fn keep(&self, destination: &str, mut connection: Connection) {
        if !connection.is_at_rest() {
            return;
        }
        connection.rest();
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if resting.count >= self.limits.in_all {
            return;
        }
        match resting.by_host.get_mut(destination) {
            Some(line) if line.len() >= self.limits.a_host => return,
            Some(line) => line.push(connection),
            None => {
                resting.by_host.insert(destination.to_owned(), vec![connection]);
            }
        }
        resting.count += 1;
    }
}

/// Closes what has rested too long or was closed by the other side.
fn sweep(resting: &Mutex<Resting>, idle: Duration) {
    let mut resting = resting.lock().unwrap_or_else(PoisonError::into_inner);
    resting.by_host.retain(|_, line| {
        line.retain_mut(|connection| !connection.is_old(idle, AGE_MAX) && connection.is_at_rest());
        !line.is_empty()
    });
    resting.count = resting.by_host.values().map(Vec::len).sum();
}

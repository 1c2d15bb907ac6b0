//! One reader of the feed's end for the whole process: it is woken by commits, looks every second for those of other
//! replicas, and hands each change to all open streams.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tocsin_platform::fail_points::reach;
use tocsin_platform::lifecycle::{Reconciler, Shutdown, Waker};
use tokio::sync::broadcast;

use super::{Entry, read_for_all};
use crate::dispatch::{Dispatch, Shared};
use crate::error::DispatchError;
use crate::store;

/// How long a change committed by another replica may wait.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Changes read at once; between two reads the streams have their turn, so that a burst is not taken for slowness.
const READ_AT_ONCE: u64 = 32;

/// The sending side of all open streams.
pub(crate) struct Tail {
    sender: broadcast::Sender<Arc<Entry>>,
    waker: Waker,
}

/// The task behind a [`Tail`].
pub(crate) struct TailReader {
    reconciler: Reconciler,
    /// The position of the last change handed on.
    seen: Arc<AtomicI64>,
}

impl Tail {
    /// A tail in which each stream may lag `buffer` changes behind, and the task that feeds it. `seen` is where the feed
    /// stood before the first stream could be opened: a stream reads everything older itself.
    pub(crate) fn new(buffer: usize, seen: i64) -> (Self, TailReader) {
        let reconciler = Reconciler::new("feed_tail", LOOK_EVERY);
        let tail = Self { sender: broadcast::Sender::new(buffer), waker: reconciler.wake_handle() };
        (tail, TailReader { reconciler, seen: Arc::new(AtomicI64::new(seen)) })
    }

    /// Says that a change was committed.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// Every change that is read from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Entry>> {
        self.sender.subscribe()
    }
}

impl TailReader {
    /// Reads until the drain.
    pub(crate) async fn run(self, dispatch: Shared, shutdown: Shutdown) -> Result<(), Infallible> {
        let Self { reconciler, seen } = self;
        let work = move || {
            let (dispatch, seen) = (Shared::clone(&dispatch), Arc::clone(&seen));
            async move { read(&dispatch, &seen).await }
        };
        reconciler.run(shutdown, work).await
    }
}

/// Reads what is new once.
async fn read(dispatch: &Dispatch, seen: &AtomicI64) -> Result<Option<Duration>, DispatchError> {
    let bounds = store::feed::bounds(dispatch.database.reader()).await?;
    let from = seen.load(Ordering::Relaxed);
    if from == bounds.position {
        return Ok(None);
    }
    reach("dispatch.feed_read");
    let entries = read_for_all(dispatch, &bounds.epoch, from, READ_AT_ONCE).await?;
    let more = u64::try_from(entries.len()).is_ok_and(|read| read == READ_AT_ONCE);
    for entry in entries {
        seen.store(entry.position, Ordering::Relaxed);
        // No open stream is no failure.
        let _ = dispatch.tail.sender.send(entry);
    }
    Ok(more.then_some(Duration::ZERO))
}

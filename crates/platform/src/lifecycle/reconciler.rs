//! Periodic work that survives restarts, because what is due is written in rows and never kept in a timer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tracing::warn;

use super::Shutdown;

/// Wakes one reconciler; cheap to clone, never blocks, and a wake while it works makes it run once more.
#[derive(Debug, Clone)]
pub struct Waker {
    notify: Arc<Notify>,
}

impl Waker {
    /// Says that there may be something to do.
    pub fn wake(&self) {
        self.notify.notify_one();
    }
}

/// Idempotent periodic work: it runs when woken, when something falls due, and at least once every interval.
///
/// Clocks of the house are rows with a due time; a reconciler only looks and acts, so a restart loses no timer.
#[derive(Debug)]
pub struct Reconciler {
    name: &'static str,
    interval: Duration,
    notify: Arc<Notify>,
}

/// The first pause after an error; it doubles up to the reconciler's interval or [`ERROR_PAUSE_MAX`].
const ERROR_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause after an error.
const ERROR_PAUSE_MAX: Duration = Duration::from_secs(30);

impl Reconciler {
    /// A reconciler that looks at least every `interval`. The name appears in logs as `task`.
    pub fn new(name: &'static str, interval: Duration) -> Self {
        Self { name, interval, notify: Arc::new(Notify::new()) }
    }

    /// Something to give to whoever makes work for this reconciler.
    pub fn wake_handle(&self) -> Waker {
        Waker { notify: Arc::clone(&self.notify) }
    }

    /// Works until the drain. `work` returns after how long something falls due next, if it knows; zero means there is
    /// more to do now. An error is logged and tried again after a growing pause; it never ends the task.
    pub async fn run<E: std::fmt::Display>(
        self,
        shutdown: Shutdown,
        mut work: impl AsyncFnMut() -> Result<Option<Duration>, E>,
    ) -> Result<(), Infallible> {
        let mut pause = ERROR_PAUSE;
        while !shutdown.is_draining() {
            match work().await {
                Ok(due) => {
                    pause = ERROR_PAUSE;
                    let wait = due.unwrap_or(self.interval).min(self.interval);
                    if wait.is_zero() {
                        tokio::task::yield_now().await;
                        continue;
                    }
                    tokio::select! {
                        () = shutdown.draining() => {}
                        () = self.notify.notified() => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
                Err(error) => {
                    warn!(task = self.name, reason = %error, "work failed and will be tried again");
                    tokio::select! {
                        () = shutdown.draining() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(ERROR_PAUSE_MAX).min(self.interval.max(ERROR_PAUSE));
                }
            }
        }
        Ok(())
    }
}

//! How a process starts, runs and ends: a two-stage shutdown, tasks whose death ends the process, and reconcilers.
//!
//! A process whose consumer died but whose listener still answers looks healthy and does nothing, so here every task
//! is named, and one that ends before the drain takes the whole process down with its name in the error.

mod reconciler;
mod tasks;

use std::sync::Arc;

use tokio::sync::watch;
use tracing::warn;

pub use reconciler::{Reconciler, Waker};
pub use tasks::{LifecycleError, Tasks};

/// How far the end of the process has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Work as usual.
    Running,
    /// Take nothing new, finish what is in flight.
    Draining,
    /// Leave now.
    Stopped,
}

/// The side that listens: each task holds a clone and ends itself when told.
#[derive(Debug, Clone)]
pub struct Shutdown {
    sender: Arc<watch::Sender<Stage>>,
}

/// The side that decides when the process ends. Dropping it changes nothing.
#[derive(Debug, Clone)]
pub struct ShutdownHandle {
    sender: Arc<watch::Sender<Stage>>,
}

impl Shutdown {
    /// A handle and the signal it controls.
    pub fn pair() -> (ShutdownHandle, Self) {
        let sender = Arc::new(watch::Sender::new(Stage::Running));
        (ShutdownHandle { sender: Arc::clone(&sender) }, Self { sender })
    }

    /// Waits until nothing new may be taken. Returns at once if that is already so.
    pub async fn draining(&self) {
        self.reached(Stage::Draining).await;
    }

    /// Waits until even work in flight must be left. Returns at once if that is already so.
    pub async fn stopped(&self) {
        self.reached(Stage::Stopped).await;
    }

    /// Whether nothing new may be taken any more.
    pub fn is_draining(&self) -> bool {
        *self.sender.borrow() >= Stage::Draining
    }

    async fn reached(&self, stage: Stage) {
        // The sender lives as long as `self`, so waiting can only end by reaching the stage.
        let _ = self.sender.subscribe().wait_for(|current| *current >= stage).await;
    }

    fn advance(&self, stage: Stage) {
        advance(&self.sender, stage);
    }
}

impl ShutdownHandle {
    /// First stage: take nothing new, finish what is in flight.
    pub fn drain(&self) {
        advance(&self.sender, Stage::Draining);
    }

    /// Second stage: leave now.
    pub fn stop(&self) {
        advance(&self.sender, Stage::Stopped);
    }
}

/// Stages only move forward: a late `drain` never revives a stopped process.
fn advance(sender: &watch::Sender<Stage>, stage: Stage) {
    sender.send_if_modified(|current| {
        let forward = *current < stage;
        if forward {
            *current = stage;
        }
        forward
    });
}

/// Waits for the operator's wish to end the process: SIGTERM or SIGINT.
pub async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(error) => {
            warn!(error_kind = ?error.kind(), "a signal handler could not be installed; use the other signal");
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::interrupt()) => {}
    }
}

#[cfg(test)]
mod tests;

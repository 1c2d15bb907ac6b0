//! The tasks of a process: each has a name, and the death of one ends all.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tracing::{info, warn};

use super::{Shutdown, Stage};

/// Why a process ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// A task that should run for ever returned.
    #[error("the task `{task}` ended although nobody asked it to")]
    Ended {
        /// The task's name.
        task: String,
    },
    /// A task returned an error.
    #[error("the task `{task}` failed")]
    Failed {
        /// The task's name.
        task: String,
        /// What it returned.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A task panicked.
    #[error("the task `{task}` panicked")]
    Panicked {
        /// The task's name.
        task: String,
    },
}

type TaskResult = Result<(), Box<dyn Error + Send + Sync>>;

/// The tasks of one process or service, started in order and watched together.
#[derive(Debug)]
pub struct Tasks {
    grace: Duration,
    running: JoinSet<TaskResult>,
    names: HashMap<Id, String>,
}

/// How long tasks may take to end themselves in the second stage, before they are aborted.
const STOP_GRACE: Duration = Duration::from_secs(1);

impl Tasks {
    /// No tasks yet; once draining, what is in flight has `grace` to finish.
    pub fn new(grace: Duration) -> Self {
        Self { grace, running: JoinSet::new(), names: HashMap::new() }
    }

    /// Starts a task now. It must run until its own copy of the [`Shutdown`] drains.
    pub fn spawn<F, E>(&mut self, name: impl Into<String>, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        let task = self.running.spawn(async move { future.await.map_err(Into::into) });
        self.names.insert(task.id(), name.into());
    }

    /// Watches the tasks until all have ended.
    ///
    /// A task that ends, fails or panics before the drain starts the drain for everybody who shares this signal, and
    /// is the error returned. After the drain a task may end, but a failure is still returned. What has not ended
    /// after the grace period is stopped, then aborted.
    pub async fn run_until(mut self, shutdown: Shutdown) -> Result<(), LifecycleError> {
        let first_error = tokio::select! {
            biased;
            () = shutdown.draining() => None,
            ended = self.running.join_next_with_id() => {
                // The drain may have begun between the task's end and this look at it.
                let asked = shutdown.is_draining();
                let error = ended.and_then(|ended| self.judge(ended, asked));
                shutdown.advance(Stage::Draining);
                error
            }
        };
        let error = self.finish(&shutdown).await;
        match first_error.or(error) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Waits for the rest within the grace period, and returns the first failure among them.
    async fn finish(&mut self, shutdown: &Shutdown) -> Option<LifecycleError> {
        let deadline = tokio::time::Instant::now() + self.grace;
        let mut first_error = None;
        loop {
            tokio::select! {
                ended = self.running.join_next_with_id() => match ended {
                    Some(ended) => first_error = first_error.or(self.judge(ended, true)),
                    None => return first_error,
                },
                () = tokio::time::sleep_until(deadline) => break,
                () = shutdown.stopped() => break,
            }
        }
        shutdown.advance(Stage::Stopped);
        let deadline = tokio::time::Instant::now() + STOP_GRACE;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.running.join_next_with_id()).await {
            first_error = first_error.or(self.judge(ended, true));
        }
        for task in self.names.values() {
            warn!(task = task.as_str(), "a task did not end within the grace period and was aborted");
        }
        self.running.shutdown().await;
        first_error
    }

    /// Turns the end of one task into an error, unless it was asked to end and did so well.
    fn judge(&mut self, ended: Result<(Id, TaskResult), JoinError>, asked: bool) -> Option<LifecycleError> {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let task = self.names.remove(&id).unwrap_or_else(|| "unnamed".to_owned());
        match ended {
            Ok((_, Ok(()))) if asked => {
                info!(task = task.as_str(), "a task ended");
                None
            }
            Ok((_, Ok(()))) => Some(LifecycleError::Ended { task }),
            Ok((_, Err(source))) => Some(LifecycleError::Failed { task, source }),
            Err(_) => Some(LifecycleError::Panicked { task }),
        }
    }
}

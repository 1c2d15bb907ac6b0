//! Group commit: many concurrent requests in one transaction, so that one sync makes all of them durable.
//!
//! The first item is committed at once; what arrives meanwhile waits for the next commit. Nothing is ever delayed to
//! gather more, so a lone request pays nothing and a busy door pays one sync for a whole batch.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use crate::lifecycle::Tasks;

/// The queue holds this many batches; beyond it submitters wait.
const QUEUED_BATCHES_MAX: usize = 8;
/// How long one commit may take. A database that has fallen silent must not hold up those who come later for ever.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a caller waits for its outcome before it is told that the commit is away.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(5);

/// The item will not be committed, or nobody can say whether it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GroupClosed {
    /// The task is gone, or it returned fewer outcomes than it was given items.
    #[error("the group commit has ended: try again later")]
    Ended,
    /// No outcome came in time; the item may still be committed.
    #[error("the group commit did not answer in time: try again later")]
    TooSlow,
}

/// The way into one group commit. Cheap to clone; the task ends when the last clone is dropped.
#[derive(Debug)]
pub struct GroupCommit<Item, Outcome> {
    sender: mpsc::Sender<Submitted<Item, Outcome>>,
}

/// An item and who waits for its outcome; none when nobody can say what became of it.
type Submitted<Item, Outcome> = (Item, oneshot::Sender<Option<Outcome>>);

impl<Item, Outcome> Clone for GroupCommit<Item, Outcome> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<Item: Send + 'static, Outcome: Send + 'static> GroupCommit<Item, Outcome> {
    /// Starts the task. `commit` gets up to `batch_max` items and returns their outcomes in the same order; it should
    /// turn a failure of the whole into an outcome for each.
    pub fn spawn<Commit, Committing>(
        name: &'static str,
        batch_max: usize,
        tasks: &mut Tasks,
        mut commit: Commit,
    ) -> Self
    where
        Commit: FnMut(Vec<Item>) -> Committing + Send + 'static,
        Committing: Future<Output = Vec<Outcome>> + Send,
    {
        let batch_max = batch_max.max(1);
        let (sender, mut receiver) = mpsc::channel(batch_max.saturating_mul(QUEUED_BATCHES_MAX));
        tasks.spawn(name, async move {
            let mut batch: Vec<Submitted<Item, Outcome>> = Vec::new();
            while receiver.recv_many(&mut batch, batch_max).await > 0 {
                let (items, answers): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
                let Ok(outcomes) = tokio::time::timeout(COMMIT_TIMEOUT, commit(items)).await else {
                    // Nobody can say whether it was committed, so nobody is told that it was.
                    warn!(task = name, count = answers.len(), "a group commit took too long and was given up");
                    for answer in answers {
                        let _ = answer.send(None);
                    }
                    continue;
                };
                if outcomes.len() != answers.len() {
                    error!(task = name, "a group commit returned another number of outcomes than it was given items");
                }
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    // A caller that has gone away does not need to know.
                    let _ = answer.send(Some(outcome));
                }
            }
            Ok::<(), Infallible>(())
        });
        Self { sender }
    }

    /// Hands an item in and waits until it is committed or refused.
    pub async fn submit(&self, item: Item) -> Result<Outcome, GroupClosed> {
        let (answer, outcome) = oneshot::channel();
        let submitted = async {
            self.sender.send((item, answer)).await.map_err(|_| GroupClosed::Ended)?;
            outcome.await.map_err(|_| GroupClosed::Ended)?.ok_or(GroupClosed::TooSlow)
        };
        tokio::time::timeout(OUTCOME_TIMEOUT, submitted).await.unwrap_or(Err(GroupClosed::TooSlow))
    }
}

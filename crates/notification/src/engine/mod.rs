//! The delivery engine: it claims what is due, starts attempts within the limits, and records their ends in batches.
//!
//! Leases make a crash harmless: a claimed notice belongs to one process until its lease ends, the lease is checked on
//! the monotonic clock before each send, and an attempt is sent, then recorded; so a crash costs at most one repeat for
//! each recipient.

mod attempt;
mod breaker;
mod claim;
mod dispatcher;
mod escalate;
mod held;
mod lease;
mod pace;
mod relief;
mod results;
mod slots;
mod unreadable;
mod verdict;
mod withdrawals;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use crate::bulletin::Bulletin;
use crate::channel::Outcome;
use crate::config::BreakerConfig;
use crate::contact::Recipient;
use crate::entity::notice;
use breaker::Breakers;

pub(crate) use breaker::Degraded;
pub(crate) use claim::{past_due, release_leases};
pub(crate) use dispatcher::run as run_dispatcher;
pub(crate) use lease::Lease;
pub(crate) use results::run as run_results;
pub(crate) use verdict::needs_a_person;
pub(crate) use withdrawals::run as run_withdrawals;

/// The most notices in memory, from their claim until their ends are recorded.
const HELD_MAX: usize = 4_096;
/// How many of them may be other than urgent, so that a backlog leaves room for what cannot wait.
const ORDINARY_MAX: usize = HELD_MAX / 4 * 3;

/// A notice with everything that sending it needs, and the lease under which it may start.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) notice: notice::Model,
    /// None when the contact is no longer known.
    pub(crate) recipient: Option<Arc<Recipient>>,
    pub(crate) bulletin: Arc<Bulletin>,
    pub(crate) lease_ends: Instant,
}

/// An attempt that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) ready: Ready,
    pub(crate) outcome: Outcome,
    /// What may be kept of the other side's words.
    pub(crate) answer: Option<String>,
    /// The smarthost or gateway that was asked.
    pub(crate) gateway: Option<String>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) ended_at: DateTime<Utc>,
    /// Its destination's breaker is open: the contact's next channel need not wait.
    pub(crate) degraded: bool,
}

/// A withdrawal as the engine applies it to what waits in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Withdrawn {
    pub(crate) bulletin_id: Uuid,
    /// This revision and those before it.
    pub(crate) revision: i32,
    /// Empty for everybody.
    pub(crate) organisation_id: String,
    pub(crate) reason: String,
}

impl Withdrawn {
    fn covers(&self, notice: &notice::Model) -> bool {
        self.bulletin_id == notice.bulletin_id
            && notice.revision <= self.revision
            && (self.organisation_id.is_empty() || self.organisation_id == notice.organisation_id)
    }
}

/// What the engine is told.
#[derive(Debug)]
enum Command {
    /// Start these: their leases are already written.
    Start(Vec<Ready>),
    /// Stop what still waits.
    Withdraw(Withdrawn),
    /// The ends of these notices' attempts are written; with the attempts that each counted before.
    Recorded(Vec<(Uuid, i32)>),
}

/// The engine as others see it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct EngineHandle {
    /// Names this process in leases.
    pub(crate) owner: Uuid,
    commands: mpsc::UnboundedSender<Command>,
    due: Arc<Notify>,
    held: Arc<AtomicUsize>,
    breakers: Arc<Mutex<Breakers>>,
}

/// The other ends, for the tasks.
#[derive(Debug)]
pub(crate) struct EngineEnds {
    commands: mpsc::UnboundedReceiver<Command>,
    due: Arc<Notify>,
    held: Arc<AtomicUsize>,
    breakers: Arc<Mutex<Breakers>>,
}

/// A handle and its ends.
pub(crate) fn engine(breaker: BreakerConfig) -> (EngineHandle, EngineEnds) {
    // Bounded by `room`: nobody hands over more than the engine says it can hold.
    let (sender, commands) = mpsc::unbounded_channel();
    let (due, held) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let breakers = Arc::new(Mutex::new(Breakers::new(breaker, Instant::now())));
    let handle = EngineHandle {
        owner: Uuid::now_v7(),
        commands: sender,
        due: Arc::clone(&due),
        held: Arc::clone(&held),
        breakers: Arc::clone(&breakers),
    };
    (handle, EngineEnds { commands, due, held, breakers })
}

impl EngineHandle {
    /// How many more notices of a lane may be handed over with their lease already written.
    pub(crate) fn room(&self, lane: i16) -> usize {
        let most = if lane == 0 { HELD_MAX } else { ORDINARY_MAX };
        most.saturating_sub(self.held.load(Ordering::Relaxed))
    }

    /// Hands over notices that were just committed under this process's lease.
    pub(crate) fn start(&self, ready: Vec<Ready>) {
        self.held.fetch_add(ready.len(), Ordering::Relaxed);
        // The engine ends only with the process; then the leases run out and others claim.
        let _ = self.commands.send(Command::Start(ready));
    }

    /// Stops what still waits in memory.
    pub(crate) fn withdraw(&self, withdrawn: Withdrawn) {
        let _ = self.commands.send(Command::Withdraw(withdrawn));
    }

    /// Says that ends of attempts are written.
    fn recorded(&self, ended: Vec<(Uuid, i32)>) {
        let _ = self.commands.send(Command::Recorded(ended));
    }

    /// The destinations that fail as this process sees them, those that fail longest first.
    pub(crate) fn degraded(&self) -> Vec<Degraded> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner).degraded()
    }

    /// When this process began to see which destinations fail.
    pub(crate) fn watches_since(&self) -> Instant {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner).began()
    }

    /// Says that something may have become due.
    pub(crate) fn wake(&self) {
        self.due.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_leaves_room_for_urgent_notices() {
        let breaker = BreakerConfig {
            failures_max: 5,
            window_seconds: 60,
            window_attempts_min: 10,
            probe_seconds: 15,
            probe_seconds_max: 300,
        };
        let (handle, ends) = engine(breaker);
        ends.held.store(ORDINARY_MAX, Ordering::Relaxed);
        assert_eq!((handle.room(0), handle.room(1), handle.room(2)), (HELD_MAX - ORDINARY_MAX, 0, 0));
    }
}

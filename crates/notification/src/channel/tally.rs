//! What this process has seen of one gateway since its start: what is on its way, and when it last took or failed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::Outcome;

/// Counted by whoever sends.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    in_flight: AtomicU64,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    success: Option<Instant>,
    failure: Option<Instant>,
    failure_code: String,
}

/// What an operator sees of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) in_flight: u64,
    pub(crate) last_success: Option<Instant>,
    pub(crate) last_failure: Option<Instant>,
    pub(crate) last_failure_code: String,
}

/// A message on its way; whatever becomes of it, it is no longer when this is dropped.
pub(crate) struct Flight<'a>(&'a Tally);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tally {
    /// A message sets out.
    pub(crate) fn begin(&self) -> Flight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Flight(self)
    }

    /// The gateway took a message.
    pub(crate) fn took(&self) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).success = Some(Instant::now());
    }

    /// The gateway failed, and not for what it was given.
    pub(crate) fn failed(&self, code: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.failure = Some(Instant::now());
        code.clone_into(&mut last.failure_code);
    }

    /// The same by the outcome of an attempt. That a number is refused says nothing of the gateway; a refusal after which
    /// it may be asked again is one of us, as when a key has expired.
    pub(crate) fn note(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Taken { .. } => self.took(),
            Outcome::Temporary { code, .. } => self.failed(code),
            Outcome::Refused { code, tries } if *tries > 1 => self.failed(code),
            Outcome::Refused { .. } | Outcome::Gone { .. } | Outcome::Withheld { .. } | Outcome::Postponed { .. } => {}
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        Seen {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            last_success: last.success,
            last_failure: last.failure,
            last_failure_code: last.failure_code.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tocsin_domain::notice::NoticeState;

    use super::*;

    #[test]
    fn what_is_on_its_way_ends_with_its_flight_and_refusals_of_numbers_say_nothing() {
        let tally = Tally::default();
        let flight = tally.begin();
        assert_eq!(tally.seen().in_flight, 1);
        drop(flight);
        tally.note(&Outcome::Refused { code: "number".to_owned(), tries: 1 });
        let seen = tally.seen();
        assert!(seen.in_flight == 0 && seen.last_success.is_none() && seen.last_failure.is_none());
        tally.note(&Outcome::temporary("timeout"));
        tally.note(&Outcome::taken(NoticeState::Accepted, "202"));
        let seen = tally.seen();
        assert!(seen.last_success >= seen.last_failure && seen.last_failure.is_some());
        assert_eq!(seen.last_failure_code, "timeout");
    }
}

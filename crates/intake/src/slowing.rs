//! Slows down whoever tries receipts: each wrong one is answered later when many come, but none is refused.
//!
//! With 88 bits no receipt is ever guessed; the delay keeps trying from costing us anything.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The distance between two answers to wrong receipts when many come.
const DISTANCE: Duration = Duration::from_millis(20);
/// Nobody waits longer than this: a slip of the pen during an attack still learns of it.
const DELAY_MAX: Duration = Duration::from_secs(2);

/// The answers to wrong receipts of one process, spread out in time.
pub(crate) struct Slowing {
    delay_min: Duration,
    next: Mutex<Instant>,
}

impl Slowing {
    /// Holds each answer back for at least `delay_min`.
    pub(crate) fn new(delay_min: Duration) -> Self {
        Self { delay_min, next: Mutex::new(Instant::now()) }
    }

    /// Waits as long as a wrong receipt has to.
    pub(crate) async fn wait(&self) {
        let until = self.turn(Instant::now());
        tokio::time::sleep_until(until).await;
    }

    /// When the answer to a wrong receipt that came now may go.
    fn turn(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).clamp(now + self.delay_min, now + self.delay_min.max(DELAY_MAX));
        *next = turn + DISTANCE;
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_more_come_the_later_each_is_answered_up_to_a_limit() {
        let slowing = Slowing::new(Duration::from_millis(100));
        let now = Instant::now();
        let delays: Vec<_> = (0..300).map(|_| slowing.turn(now).duration_since(now)).collect();
        assert_eq!(delays[0], Duration::from_millis(100));
        assert_eq!(delays[10], Duration::from_millis(300));
        assert_eq!(delays[299], DELAY_MAX);
        let later = now + Duration::from_mins(1);
        assert_eq!(slowing.turn(later).duration_since(later), Duration::from_millis(100));
    }
}

//! Which notices this process holds, from the moment they are handed over until their end is recorded. Pure.
//!
//! A lease can run out while its notice waits, is in flight, or has ended and is not yet recorded. A claim then brings
//! it again, and it must not start a second time.

use std::collections::HashMap;
use std::time::Instant;

use uuid::Uuid;

struct Hold {
    /// How many attempts the row counted: a row that counts more has seen the end of what we hold.
    attempts: i32,
    lease_ends: Instant,
}

/// The notices that are held.
#[derive(Default)]
pub(super) struct Held {
    holds: HashMap<Uuid, Hold>,
}

impl Held {
    /// Takes a notice as its row stands; false when it is held already, whose lease then is the new one.
    pub(super) fn take(&mut self, notice_id: Uuid, attempts: i32, lease_ends: Instant) -> bool {
        if let Some(hold) = self.holds.get_mut(&notice_id).filter(|hold| hold.attempts >= attempts) {
            hold.lease_ends = hold.lease_ends.max(lease_ends);
            return false;
        }
        self.holds.insert(notice_id, Hold { attempts, lease_ends });
        true
    }

    /// When the lease ends under which it is held.
    pub(super) fn lease_ends(&self, notice_id: Uuid) -> Option<Instant> {
        self.holds.get(&notice_id).map(|hold| hold.lease_ends)
    }

    /// Lets go of it, unless a later attempt holds it by now.
    pub(super) fn let_go(&mut self, notice_id: Uuid, attempts: i32) {
        if self.holds.get(&notice_id).is_some_and(|hold| hold.attempts <= attempts) {
            self.holds.remove(&notice_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_held_is_not_taken_again_until_its_end_is_recorded() {
        let (mut held, notice) = (Held::default(), Uuid::now_v7());
        let first = Instant::now();
        let second = first + Duration::from_secs(30);
        assert!(held.take(notice, 0, first));
        assert!(!held.take(notice, 0, second), "claimed again when its lease ended");
        assert_eq!(held.lease_ends(notice), Some(second), "and then held under the new lease");
        assert!(!held.take(notice, 0, first));
        assert_eq!(held.lease_ends(notice), Some(second));
        held.let_go(notice, 0);
        assert!(held.take(notice, 1, second), "its end was recorded");
    }

    #[test]
    fn a_retry_may_overtake_the_word_that_its_attempt_was_recorded() {
        let (mut held, notice, now) = (Held::default(), Uuid::now_v7(), Instant::now());
        assert!(held.take(notice, 0, now));
        assert!(held.take(notice, 1, now));
        held.let_go(notice, 0);
        assert!(!held.take(notice, 1, now), "the retry is still held");
    }
}

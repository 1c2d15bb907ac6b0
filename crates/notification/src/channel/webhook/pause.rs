//! Destinations that asked for a pause. Until it ends, what waits for them is put off without an attempt.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// The longest pause that is granted to a destination as a whole.
const PAUSE_MAX: Duration = Duration::from_hours(1);
/// The most destinations remembered.
const DESTINATIONS_MAX: usize = 10_000;

/// Who asked, and until when.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    until: Mutex<HashMap<String, Instant>>,
}

impl Pauses {
    /// Notes what a destination asked for; the later end counts.
    pub(super) fn note(&self, destination: &str, seconds: u32) {
        let now = Instant::now();
        let until = now + Duration::from_secs(seconds.into()).min(PAUSE_MAX);
        let mut known = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= DESTINATIONS_MAX {
            known.retain(|_, until| *until > now);
        }
        if known.len() < DESTINATIONS_MAX {
            let kept = known.entry(destination.to_owned()).or_insert(until);
            *kept = until.max(*kept);
        }
    }

    /// It answers well again.
    pub(super) fn forget(&self, destination: &str) {
        let mut known = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.is_empty() {
            known.remove(destination);
        }
    }

    /// For how many more whole seconds it must be left alone; none if it need not.
    pub(super) fn left_seconds(&self, destination: &str) -> Option<u32> {
        let known = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let left = known.get(destination)?.checked_duration_since(Instant::now())?;
        u32::try_from(left.as_secs() + u64::from(left.subsec_nanos() > 0)).ok().filter(|seconds| *seconds > 0)
    }
}

/// `Retry-After` in seconds: it is a number of them, or a date (RFC 9110, 10.2.3).
pub(super) fn retry_after_seconds(given: &str, now: DateTime<Utc>) -> Option<u32> {
    let given = given.trim();
    if let Ok(seconds) = given.parse() {
        return Some(seconds);
    }
    let at = DateTime::parse_from_rfc2822(given).ok()?;
    u32::try_from((at.to_utc() - now).num_seconds().max(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        check("7", Some(7));
        check(" 120 ", Some(120));
        check("Mon, 06 Jul 2026 06:01:30 GMT", Some(90));
        check("Mon, 06 Jul 2026 05:00:00 GMT", Some(0));
        check("soon", None);
        check("-1", None);
        check("", None);
        check("99999999999999999999", None);
    }

    fn check(given: &str, expected: Option<u32>) {
        assert_eq!(retry_after_seconds(given, "2026-07-06T06:00:00Z".parse().unwrap()), expected, "{given}");
    }

    #[test]
    fn the_later_end_counts_until_it_answers_well() {
        let pauses = Pauses::default();
        assert_eq!(pauses.left_seconds("a:443"), None);
        pauses.note("a:443", 60);
        pauses.note("a:443", 5);
        assert_eq!(pauses.left_seconds("a:443"), Some(60));
        assert_eq!(pauses.left_seconds("b:443"), None);
        pauses.note("a:443", 99_999_999);
        assert_eq!(pauses.left_seconds("a:443"), Some(3600));
        pauses.forget("a:443");
        assert_eq!(pauses.left_seconds("a:443"), None);
    }
}

//! When a failed attempt is made again: a list of delays for each lane, with jitter that only ever adds.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::priority::Lane;

/// The delays between attempts, in seconds, as configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetrySchedule {
    /// In the urgent lane.
    pub urgent_seconds: Vec<u32>,
    /// In the normal and bulk lanes.
    pub normal_seconds: Vec<u32>,
    /// After a temporary refusal (4xx) of a mail server.
    pub email_temporary_seconds: Vec<u32>,
    /// Between further attempts by e-mail, once that list has ended.
    pub email_then_every_seconds: u32,
    /// How many attempts by e-mail are made in all.
    pub email_attempts_max: u32,
}

const MINUTE: u32 = 60;
const HOUR: u32 = 3600;

impl Default for RetrySchedule {
    fn default() -> Self {
        let late = [2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        let urgent = [0, 2, 5, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE];
        let normal = [5, 5 * MINUTE, 30 * MINUTE];
        Self {
            urgent_seconds: [urgent.as_slice(), &late].concat(),
            normal_seconds: [normal.as_slice(), &late].concat(),
            email_temporary_seconds: [1, 2, 5, 10, 20, 30].map(|minutes| minutes * MINUTE).to_vec(),
            email_then_every_seconds: HOUR,
            email_attempts_max: 48,
        }
    }
}

impl RetrySchedule {
    /// The delay before the next attempt, after `attempts` have been made (at least 1) in a lane; none when the
    /// schedule is exhausted. `jitter` is from 0 to 1 and adds up to a tenth; it is never subtracted.
    pub fn delay(&self, lane: Lane, attempts: u32, jitter: f64) -> Option<TimeDelta> {
        let list = match lane {
            Lane::Urgent => &self.urgent_seconds,
            Lane::Normal | Lane::Bulk => &self.normal_seconds,
        };
        nth(list, attempts).map(|seconds| with_jitter(seconds, jitter))
    }

    /// The same after a temporary refusal of a mail server: the list, then a steady interval.
    pub fn email_delay(&self, attempts: u32, jitter: f64) -> Option<TimeDelta> {
        if attempts >= self.email_attempts_max {
            return None;
        }
        let seconds = nth(&self.email_temporary_seconds, attempts).unwrap_or(self.email_then_every_seconds);
        Some(with_jitter(seconds, jitter))
    }
}

fn nth(list: &[u32], attempts: u32) -> Option<u32> {
    let index = usize::try_from(attempts.saturating_sub(1)).ok()?;
    list.get(index).copied()
}

/// Jitter keeps a thousand notices that failed together from coming back together.
fn with_jitter(seconds: u32, jitter: f64) -> TimeDelta {
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, reason = "at most a tenth of a u32 of seconds in milliseconds")]
    let added = (f64::from(seconds) * 100.0 * jitter) as i64;
    TimeDelta::milliseconds(i64::from(seconds) * 1000 + added)
}

/// When the next attempt is due: after the delay, or later if the destination asked for it (`Retry-After`), but what it
/// asks for never moves the attempt past the deadline.
pub fn next_attempt_at(
    now: DateTime<Utc>,
    delay: TimeDelta,
    retry_after_seconds: Option<u32>,
    deadline: Option<DateTime<Utc>>,
) -> DateTime<Utc> {
    let ours = plus(now, delay);
    let Some(asked) = retry_after_seconds.map(|seconds| plus(now, TimeDelta::seconds(i64::from(seconds)))) else {
        return ours;
    };
    let granted = deadline.map_or(asked, |deadline| asked.min(deadline));
    ours.max(granted)
}

fn plus(now: DateTime<Utc>, delay: TimeDelta) -> DateTime<Utc> {
    now.checked_add_signed(delay).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn delays_follow_the_lists() {
        let schedule = RetrySchedule::default();
        let all = |lane| -> Vec<i64> {
            (1..).map_while(|attempts| schedule.delay(lane, attempts, 0.0)).map(|delay| delay.num_seconds()).collect()
        };
        let late = [7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        assert_eq!(all(Lane::Urgent), [&[0, 2, 5, 15, 30, 60, 120, 300, 600, 1_800], late.as_slice()].concat());
        assert_eq!(all(Lane::Normal), [&[5, 300, 1_800], late.as_slice()].concat());
        assert_eq!(all(Lane::Bulk), all(Lane::Normal));
    }

    #[test]
    fn email_waits_longer_then_hourly_and_ends() {
        let schedule = RetrySchedule { email_attempts_max: 9, ..RetrySchedule::default() };
        let minutes: Vec<_> =
            (1..).map_while(|attempts| schedule.email_delay(attempts, 0.0)).map(|delay| delay.num_minutes()).collect();
        assert_eq!(minutes, [1, 2, 5, 10, 20, 30, 60, 60]);
    }

    #[test]
    fn retry_after_is_honoured_but_not_past_the_deadline() {
        check(5, None, Some(60), 5);
        check(5, Some(30), None, 30);
        check(5, Some(30), Some(60), 30);
        check(5, Some(300), Some(60), 60);
        check(5, Some(1), Some(60), 5);
        check(5, Some(300), Some(2), 5);
    }

    proptest! {
        #[test]
        fn jitter_only_adds_at_most_a_tenth(attempts in 1_u32..30, jitter in any::<f64>()) {
            let schedule = RetrySchedule::default();
            for lane in Lane::ALL {
                let plain = schedule.delay(*lane, attempts, 0.0);
                let shaken = schedule.delay(*lane, attempts, jitter);
                prop_assert_eq!(plain.is_some(), shaken.is_some());
                if let (Some(plain), Some(shaken)) = (plain, shaken) {
                    prop_assert!(shaken >= plain && shaken <= plain + plain / 10);
                }
            }
        }
    }

    fn check(delay: i64, retry_after: Option<u32>, deadline: Option<i64>, expected: i64) {
        let now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let deadline = deadline.map(|seconds| now + TimeDelta::seconds(seconds));
        let due = next_attempt_at(now, TimeDelta::seconds(delay), retry_after, deadline);
        assert_eq!((due - now).num_seconds(), expected);
    }
}

//! Time as a parameter: whoever decides by the time is given a clock, so that a demonstration can start in another
//! year and a test can stand at a chosen moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

#[cfg(any(test, feature = "testing"))]
use chrono::TimeDelta;
use chrono::{DateTime, Utc};

/// Real time plus an offset, in UTC, cut to milliseconds as every table stores it. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock {
    /// How far the world that is shown is from the real one: meant, and the same for every process.
    offset_ms: Arc<AtomicI64>,
    /// How wrong this machine's time is: never meant. Only tests know it.
    error_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's time.
    pub fn system() -> Self {
        Self { offset_ms: Arc::default(), error_ms: Arc::default() }
    }

    /// A clock that shows `moment` now and runs on from there at real speed.
    pub fn starting_at(moment: DateTime<Utc>) -> Self {
        let offset = moment.signed_duration_since(machine_now());
        Self { offset_ms: Arc::new(AtomicI64::new(offset.num_milliseconds())), error_ms: Arc::default() }
    }

    /// The moment, in whole milliseconds.
    pub fn now(&self) -> DateTime<Utc> {
        from_ms(self.shown(to_ms(machine_now()).saturating_add(self.error_ms.load(Ordering::Relaxed))))
    }

    /// What this clock shows when another machine's time is `machine_ms`, in milliseconds since the Unix epoch.
    pub(crate) fn shown(&self, machine_ms: i64) -> i64 {
        machine_ms.saturating_add(self.offset_ms.load(Ordering::Relaxed))
    }

    /// Moves this clock and all its clones on, so that a test need not wait.
    #[cfg(any(test, feature = "testing"))]
    pub fn advance(&self, by: TimeDelta) {
        self.offset_ms.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
    }

    /// The same world on another machine, whose own time can be wrong by itself.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn on_another_machine(&self) -> Self {
        Self { offset_ms: Arc::clone(&self.offset_ms), error_ms: Arc::default() }
    }

    /// Makes this machine's time wrong by so much, as an operator's hand or a bad time server does.
    #[cfg(any(test, feature = "testing"))]
    pub fn step(&self, by: TimeDelta) {
        self.error_ms.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
    }

    /// The moment in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        to_ms(self.now())
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's time")]
fn machine_now() -> DateTime<Utc> {
    Utc::now()
}

/// Milliseconds since the Unix epoch, as stored in columns named `*_at_ms`.
pub fn to_ms(moment: DateTime<Utc>) -> i64 {
    moment.timestamp_millis()
}

/// The moment of a stored number of milliseconds; what no calendar can say becomes its nearest end.
pub fn from_ms(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or(if milliseconds < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_starts_at_the_given_moment_and_runs() {
        let moment = DateTime::from_timestamp(1_496_923_200, 0).unwrap();
        let clock = Clock::starting_at(moment);
        let since = clock.now().signed_duration_since(moment);
        assert!((-1..5_000).contains(&since.num_milliseconds()), "{since}");
        clock.clone().advance(TimeDelta::hours(1));
        assert!(clock.now() > moment + TimeDelta::minutes(59));
    }

    #[test]
    fn a_machine_may_be_wrong_by_itself() {
        let clock = Clock::starting_at(DateTime::from_timestamp(1_496_923_200, 0).unwrap());
        let other = clock.on_another_machine();
        other.step(TimeDelta::hours(-3));
        assert!(clock.now() - other.now() > TimeDelta::minutes(179));
        clock.advance(TimeDelta::days(1));
        assert!(other.now() > DateTime::from_timestamp(1_496_923_200, 0).unwrap() + TimeDelta::hours(20));
        assert_eq!(other.shown(0), clock.shown(0));
    }

    #[test]
    fn milliseconds_survive_and_the_impossible_saturates() {
        let moment = DateTime::from_timestamp_millis(1_496_923_200_123).unwrap();
        assert_eq!(from_ms(to_ms(moment)), moment);
        assert_eq!(from_ms(i64::MAX), DateTime::<Utc>::MAX_UTC);
        assert_eq!(from_ms(i64::MIN), DateTime::<Utc>::MIN_UTC);
    }
}

//! Conversions between wire and domain: they name every field that is wrong at once and never repeat its content.

mod report;

use chrono::{DateTime, Utc};
use prost_types::Timestamp;

pub use report::report_from_wire;
pub use tocsin_domain::violation::FieldViolation as Violation;

/// The wire form of a moment, to the nanosecond.
pub fn timestamp(moment: DateTime<Utc>) -> Timestamp {
    // A leap second shows as more than 10^9 nanoseconds in chrono; the wire knows none.
    let nanos = moment.timestamp_subsec_nanos().min(999_999_999);
    Timestamp { seconds: moment.timestamp(), nanos: i32::try_from(nanos).unwrap_or(0) }
}

/// The moment a wire timestamp names; `None` when it is absent or names no moment.
pub fn from_timestamp(timestamp: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    let timestamp = timestamp?;
    DateTime::from_timestamp(timestamp.seconds, u32::try_from(timestamp.nanos).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_survive_the_wire() {
        for milliseconds in [0, -1, 1_780_000_000_123, -62_135_596_800_000] {
            let moment = DateTime::from_timestamp_millis(milliseconds).unwrap();
            assert_eq!(from_timestamp(Some(&timestamp(moment))), Some(moment));
        }
    }

    #[test]
    fn what_names_no_moment_is_none() {
        assert_eq!(from_timestamp(None), None);
        assert_eq!(from_timestamp(Some(&Timestamp { seconds: 0, nanos: -1 })), None);
        assert_eq!(from_timestamp(Some(&Timestamp { seconds: i64::MAX, nanos: 0 })), None);
    }
}

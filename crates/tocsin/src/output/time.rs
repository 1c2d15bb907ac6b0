//! How moments are written: UTC, to the second, with the offset said.

use chrono::{DateTime, SecondsFormat, Utc};
use prost_types::Timestamp;
use tocsin_proto::convert::from_timestamp;

/// A wire timestamp for people; empty when there is none.
pub(crate) fn moment(timestamp: Option<&Timestamp>) -> String {
    from_timestamp(timestamp).map(written).unwrap_or_default()
}

/// The same for a moment of our own.
pub(crate) fn moment_now(now: DateTime<Utc>) -> String {
    written(now)
}

fn written(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

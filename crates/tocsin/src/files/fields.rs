//! How single fields are read: `null` counts as absent, and a number is taken where its digits are meant.

use chrono::{DateTime, FixedOffset};
use prost_types::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// The value, or the default when it is `null`.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Text, or a whole number taken as its digits (`"information": 1`).
pub(super) fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text or a whole number")]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(match Option::<Either>::deserialize(deserializer)? {
        None => String::new(),
        Some(Either::Text(text)) => text,
        Some(Either::Number(number)) => number.to_string(),
    })
}

/// A moment with its offset, as RFC 3339 writes it.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub(crate) struct Moment(pub(crate) DateTime<FixedOffset>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        moment(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Moment {
    /// The wire form.
    pub(crate) fn timestamp(self) -> Timestamp {
        tocsin_proto::convert::timestamp(self.0.to_utc())
    }
}

/// Reads a moment; the error says what was expected.
pub(crate) fn moment(text: &str) -> Result<DateTime<FixedOffset>, String> {
    DateTime::parse_from_rfc3339(text)
        .map_err(|_| "expected a moment with its offset, as 2026-07-05T18:40:00+03:00 (RFC 3339)".to_owned())
}

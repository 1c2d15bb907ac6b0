//! Values of options that are more than text: a service, a time span, a moment.

use chrono::{DateTime, FixedOffset, TimeDelta};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tocsin_proto::catalogue::{Service, UnknownService};

/// One of the four services, so that help and completions name them.
pub(super) fn service() -> impl TypedValueParser<Value = Service> {
    PossibleValuesParser::new(Service::ALL.map(Service::as_str))
        .try_map(|name| name.parse().map_err(|error: UnknownService| error))
}

/// A time span as `90d`, `12h`, `30m` or `45s`.
pub(super) fn span(text: &str) -> Result<TimeDelta, String> {
    let wrong = || "expected a whole number and its unit, as 90d, 12h, 30m or 45s".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: i64 = text.strip_suffix(unit).and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    let span = match unit {
        'd' => TimeDelta::try_days(number),
        'h' => TimeDelta::try_hours(number),
        'm' => TimeDelta::try_minutes(number),
        's' => TimeDelta::try_seconds(number),
        _ => return Err(wrong()),
    };
    span.filter(|span| *span > TimeDelta::zero())
        .ok_or_else(|| "expected a time span that ends in the future".to_owned())
}

/// A moment with its offset.
pub(super) fn moment(text: &str) -> Result<DateTime<FixedOffset>, String> {
    crate::files::fields::moment(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_name_their_unit() {
        for (text, seconds) in [("90d", Some(7_776_000)), ("12h", Some(43_200)), ("30m", Some(1800)), ("45s", Some(45))]
        {
            assert_eq!(span(text).ok().map(|span| span.num_seconds()), seconds, "{text}");
        }
        for text in ["", "d", "90", "1w", "-3d", "0h", "1.5h", "99999999999999d", "é"] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}

//! The clocks: deadlines, leases and expiries are only as good as they are.

use std::time::{Duration, Instant};

use chrono::{DateTime, Datelike as _, Utc};
use tocsin_platform::clock::Clock;

use super::Finding;

/// How long the two clocks are compared.
const COMPARED: Duration = Duration::from_millis(500);
/// More than this in that time is a clock being turned, or a machine that stood still.
const DRIFT_MAX_MS: i64 = 50;
/// This program was made later than this year began; an earlier clock is wrong.
const YEAR_MIN: i32 = 2026;
/// Zones that must be known: a fixed offset as reports name it, and one with summer time.
const ZONES: [&str; 2] = ["Etc/GMT-3", "Europe/Madrid"];

/// Looks at the machine's clock and the time zones.
pub(super) async fn check() -> Vec<Finding> {
    let clock = Clock::system();
    let (started, began) = (Instant::now(), clock.now_ms());
    tokio::time::sleep(COMPARED).await;
    let monotonic = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    let drift = (clock.now_ms() - began) - monotonic;
    vec![wall(clock.now(), drift), zones()]
}

fn wall(now: DateTime<Utc>, drift_ms: i64) -> Finding {
    let found = format!("{}, {drift_ms} ms against the monotonic clock", crate::output::moment_now(now));
    if now.year() < YEAR_MIN {
        return Finding::fail("clocks", found, "set the clock: it is years behind");
    }
    if drift_ms.abs() > DRIFT_MAX_MS {
        return Finding::warn(
            "clocks",
            found,
            "check the time service (chrony or systemd-timesyncd); the clock was turned",
        );
    }
    Finding::ok("clocks", found)
}

fn zones() -> Finding {
    let unknown: Vec<_> = ZONES.into_iter().filter(|zone| zone.parse::<chrono_tz::Tz>().is_err()).collect();
    if unknown.is_empty() {
        return Finding::ok("clocks", format!("time zone database {}", chrono_tz::IANA_TZDB_VERSION));
    }
    Finding::fail(
        "clocks",
        format!("the time zones {} are not known", unknown.join(", ")),
        "this program was built wrongly",
    )
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_clock_that_is_behind_or_turned_is_told() {
        let moment = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        assert_eq!(wall(moment("2026-07-05T00:00:00Z"), 3).verdict, Verdict::Ok);
        assert_eq!(wall(moment("2026-07-05T00:00:00Z"), -51).verdict, Verdict::Warn);
        assert_eq!(wall(moment("1970-01-01T00:00:00Z"), 0).verdict, Verdict::Fail);
        assert_eq!(zones().verdict, Verdict::Ok);
    }
}

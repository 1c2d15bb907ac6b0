//! Channels: which of a contact's an alert uses, which next, and when the night defers it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, LocalResult, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::codes::code_list;
use crate::id::serde_as_text;
use crate::priority::Priority;
use crate::tlp::Tlp;

code_list! {
    /// A way to reach a contact.
    Channel in "channels" { Email = "email", Sms = "sms", Webhook = "webhook", Signal = "signal", Matrix = "matrix" }
}

/// Why a text is not a span of hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("hours are written as 22:00-07:00, with two different times from 00:00 to 23:59")]
pub struct HoursError;

/// A daily span of local time, such as `22:00-07:00`. Its start belongs to it, its end does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    start: NaiveTime,
    end: NaiveTime,
}

impl QuietHours {
    /// Whether a local time of day is in the span.
    fn contains(self, time: NaiveTime) -> bool {
        if self.start < self.end {
            self.start <= time && time < self.end
        } else {
            self.start <= time || time < self.end
        }
    }
}

impl FromStr for QuietHours {
    type Err = HoursError;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let (start, end) = given.split_once('-').ok_or(HoursError)?;
        let (start, end) = (time_of_day(start)?, time_of_day(end)?);
        if start == end { Err(HoursError) } else { Ok(Self { start, end }) }
    }
}

/// Exactly `HH:MM`: chrono alone would also take `7:0` and a sign.
fn time_of_day(given: &str) -> Result<NaiveTime, HoursError> {
    let form = given.len() == 5 && given.bytes().enumerate().all(|(at, byte)| (at == 2) != byte.is_ascii_digit());
    if !form {
        return Err(HoursError);
    }
    NaiveTime::parse_from_str(given, "%H:%M").map_err(|_| HoursError)
}

impl fmt::Display for QuietHours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.start.format("%H:%M"), self.end.format("%H:%M"))
    }
}

serde_as_text!(QuietHours);

/// When the quiet hours end in which a moment lies; none if it lies in none.
pub fn quiet_until(quiet: QuietHours, time_zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let local = now.with_timezone(&time_zone).naive_local();
    if !quiet.contains(local.time()) {
        return None;
    }
    let ends_tomorrow = quiet.start > quiet.end && local.time() >= quiet.start;
    let date = if ends_tomorrow { local.date().checked_add_days(Days::new(1))? } else { local.date() };
    first_instant(time_zone, date.and_time(quiet.end), now)
}

/// How long a change of clocks can skip: a country that crosses the date line loses a day.
const SKIPPED_MINUTES_MAX: i64 = 25 * 60;

/// The first moment after `now` at which the clocks of a place show a time, or the first time after a gap.
fn first_instant(time_zone: Tz, local: NaiveDateTime, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (0..=SKIPPED_MINUTES_MAX).find_map(|minutes| {
        let shown = local.checked_add_signed(TimeDelta::minutes(minutes))?;
        let (first, second) = match time_zone.from_local_datetime(&shown) {
            LocalResult::Single(only) => (only, only),
            LocalResult::Ambiguous(first, second) => (first, second),
            LocalResult::None => return None,
        };
        [first, second].into_iter().map(|at| at.to_utc()).find(|at| *at > now)
    })
}

/// How a contact can be reached, as far as planning depends on it.
#[derive(Debug, Clone, Copy)]
pub struct ContactChannels<'a> {
    /// The contact's channels in the order the contact prefers.
    pub channels: &'a [Channel],
    /// When the contact does not want to be woken.
    pub quiet_hours: Option<QuietHours>,
    /// The contact's time zone.
    pub time_zone: Tz,
    /// Whether P1 and P2 may come in quiet hours.
    pub urgent_overrides_quiet_hours: bool,
}

/// A notice to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedNotice {
    /// On which channel.
    pub channel: Channel,
    /// When its first attempt is due.
    pub due_at: DateTime<Utc>,
}

/// The notices of one alert to one contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticePlan {
    /// Notices to queue now.
    pub start: Vec<PlannedNotice>,
    /// Notices to queue at their time if the contact has not acknowledged by then.
    pub later: Vec<PlannedNotice>,
    /// The contact is left without a channel: its one notice is `suppressed_unsafe` and shown in coverage.
    pub suppressed: bool,
}

/// Plans the notices of an alert to a contact.
///
/// P1 uses all channels at once; P2 starts with the first and adds the next after each `next_channel_seconds` without
/// acknowledgement; P3 and P4 use the first only. TLP:RED uses e-mail alone. Quiet hours defer all of it,
/// except P1 and P2 to a contact who allows that.
pub fn plan_notices(
    contact: &ContactChannels<'_>,
    priority: Priority,
    tlp: Tlp,
    next_channel_seconds: u32,
    now: DateTime<Utc>,
) -> NoticePlan {
    let channels = allowed_channels(contact.channels, tlp);
    let at_once = match priority {
        Priority::P1 => channels.len(),
        Priority::P2 | Priority::P3 | Priority::P4 => 1,
    };
    let in_all = match priority {
        Priority::P1 | Priority::P2 => channels.len(),
        Priority::P3 | Priority::P4 => 1,
    };
    let mut due_at = may_reach_at(contact, priority, now);
    let start = channels.iter().take(at_once).map(|channel| PlannedNotice { channel: *channel, due_at }).collect();
    let rest = channels.iter().take(in_all).skip(at_once);
    let wait = TimeDelta::seconds(i64::from(next_channel_seconds));
    let later = rest.map(|channel| {
        // The night may begin between one channel and the next.
        due_at = may_reach_at(contact, priority, due_at + wait);
        PlannedNotice { channel: *channel, due_at }
    });
    NoticePlan { start, later: later.collect(), suppressed: channels.is_empty() }
}

/// The contact's channels without repetition; TLP:RED may not pass a telephone company or a third party's server.
fn allowed_channels(channels: &[Channel], tlp: Tlp) -> Vec<Channel> {
    let mut allowed = Vec::new();
    for channel in channels {
        if (tlp < Tlp::Red || *channel == Channel::Email) && !allowed.contains(channel) {
            allowed.push(*channel);
        }
    }
    allowed
}

/// When something due at a moment may reach a contact: then, or when the quiet hours end in which it lies. P1 and P2 to
/// a contact who allows that are never deferred.
pub fn may_reach_at(contact: &ContactChannels<'_>, priority: Priority, due_at: DateTime<Utc>) -> DateTime<Utc> {
    let urgent = priority.is_at_least_as_urgent_as(Priority::P2);
    if urgent && contact.urgent_overrides_quiet_hours {
        return due_at;
    }
    contact.quiet_hours.and_then(|quiet| quiet_until(quiet, contact.time_zone, due_at)).unwrap_or(due_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_have_one_form() {
        assert_eq!("22:00-07:00".parse::<QuietHours>().unwrap().to_string(), "22:00-07:00");
        for given in
            ["", "22:00", "22:00-22:00", "24:00-07:00", "7:00-9:00", "22:00-07:60", "22:00-07:00 ", "+1:00-02:00"]
        {
            assert_eq!(given.parse::<QuietHours>(), Err(HoursError), "{given}");
        }
    }

    #[test]
    fn quiet_hours_end_at_the_local_time() {
        check("22:00-07:00", "Etc/GMT+3", "2026-07-06T00:59:59Z", None);
        check("22:00-07:00", "Etc/GMT+3", "2026-07-06T01:00:00Z", Some("2026-07-06T10:00:00Z"));
        check("22:00-07:00", "Etc/GMT+3", "2026-07-06T09:59:59Z", Some("2026-07-06T10:00:00Z"));
        check("22:00-07:00", "Etc/GMT+3", "2026-07-06T10:00:00Z", None);
        check("12:00-14:00", "Etc/GMT+0", "2026-07-06T13:00:00Z", Some("2026-07-06T14:00:00Z"));
        check("12:00-14:00", "Etc/GMT+0", "2026-07-06T14:00:00Z", None);
    }

    #[test]
    fn changes_of_clocks_do_no_harm() {
        // At 02:00 the clocks jump to 03:00 (01:00 UTC), so 02:30 never comes.
        check("22:00-02:30", "Europe/Berlin", "2026-03-29T00:30:00Z", Some("2026-03-29T01:00:00Z"));
        // At 03:00 the clocks go back to 02:00 (01:00 UTC), so 02:30 comes twice, at 00:30 and 01:30 UTC.
        check("22:00-02:30", "Europe/Berlin", "2026-10-25T00:10:00Z", Some("2026-10-25T00:30:00Z"));
        check("22:00-02:30", "Europe/Berlin", "2026-10-25T01:10:00Z", Some("2026-10-25T01:30:00Z"));
        // Samoa had no 30 December 2011.
        check("22:00-07:00", "Pacific/Apia", "2011-12-30T09:00:00Z", Some("2011-12-30T10:00:00Z"));
    }

    #[test]
    fn each_priority_starts_its_channels() {
        let all = [Channel::Sms, Channel::Email, Channel::Webhook];
        check_plan(&all, Priority::P1, Tlp::Amber, "sms+0 email+0 webhook+0", "");
        check_plan(&all, Priority::P2, Tlp::Amber, "sms+0", "email+90 webhook+180");
        check_plan(&all, Priority::P3, Tlp::Amber, "sms+0", "");
        check_plan(&all, Priority::P4, Tlp::Clear, "sms+0", "");
        check_plan(&all, Priority::P1, Tlp::Red, "email+0", "");
        check_plan(&[Channel::Sms, Channel::Webhook], Priority::P1, Tlp::Red, "", "");
        check_plan(&[Channel::Signal, Channel::Matrix], Priority::P1, Tlp::Red, "", "");
        check_plan(&[Channel::Signal, Channel::Matrix], Priority::P1, Tlp::AmberStrict, "signal+0 matrix+0", "");
        check_plan(&[], Priority::P2, Tlp::Clear, "", "");
        check_plan(&[Channel::Email, Channel::Email], Priority::P1, Tlp::Clear, "email+0", "");
    }

    #[test]
    fn quiet_hours_defer_unless_the_contact_allows_urgent() {
        for (priority, overrides, minutes) in
            [(Priority::P1, true, 0), (Priority::P2, true, 0), (Priority::P1, false, 60), (Priority::P3, true, 60)]
        {
            let contact = ContactChannels {
                channels: &[Channel::Email, Channel::Sms],
                quiet_hours: Some("22:00-07:00".parse().unwrap()),
                time_zone: Tz::UTC,
                urgent_overrides_quiet_hours: overrides,
            };
            let now = "2026-07-06T06:00:00Z".parse().unwrap();
            let plan = plan_notices(&contact, priority, Tlp::Green, 90, now);
            assert_eq!((plan.start[0].due_at - now).num_minutes(), minutes, "{priority} {overrides}");
            let gap = plan.later.first().map(|notice| (notice.due_at - plan.start[0].due_at).num_seconds());
            assert_eq!(gap, (priority == Priority::P2).then_some(90));
        }
    }

    #[test]
    fn later_channels_wait_for_the_morning_if_the_night_begins_before_them() {
        let mut contact = ContactChannels {
            channels: &[Channel::Email, Channel::Sms, Channel::Webhook],
            quiet_hours: Some("22:00-07:00".parse().unwrap()),
            time_zone: Tz::UTC,
            urgent_overrides_quiet_hours: false,
        };
        let now: DateTime<Utc> = "2026-07-06T21:59:00Z".parse().unwrap();
        let due = |contact: &ContactChannels<'_>| {
            let plan = plan_notices(contact, Priority::P2, Tlp::Green, 90, now);
            assert_eq!(plan.start[0].due_at, now);
            plan.later.iter().map(|notice| (notice.due_at - now).num_seconds()).collect::<Vec<_>>()
        };
        let morning = 9 * 3600 + 60;
        assert_eq!(due(&contact), [morning, morning + 90]);
        contact.urgent_overrides_quiet_hours = true;
        assert_eq!(due(&contact), [90, 180]);
    }

    fn check(quiet: &str, zone: &str, now: &str, expected: Option<&str>) {
        let until = quiet_until(quiet.parse().unwrap(), zone.parse().unwrap(), now.parse().unwrap());
        assert_eq!(until, expected.map(|at| at.parse().unwrap()), "{quiet} {zone} {now}");
    }

    fn check_plan(channels: &[Channel], priority: Priority, tlp: Tlp, start: &str, later: &str) {
        let contact =
            ContactChannels { channels, quiet_hours: None, time_zone: Tz::UTC, urgent_overrides_quiet_hours: false };
        let now = "2026-07-06T06:00:00Z".parse().unwrap();
        let plan = plan_notices(&contact, priority, tlp, 90, now);
        let shown = |notices: &[PlannedNotice]| {
            let each = |notice: &PlannedNotice| format!("{}+{}", notice.channel, (notice.due_at - now).num_seconds());
            notices.iter().map(each).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((shown(&plan.start), shown(&plan.later)), (start.to_owned(), later.to_owned()));
        assert_eq!(plan.suppressed, start.is_empty());
    }
}

//! The adversary's date: a hearing, an ultimatum or an eviction sets the clock backwards.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::codes::code_list;
use crate::priority::{Clocks, Priority, later};

code_list! {
    /// What the adversary has set a date for.
    AdversaryDateKind in "adversary_date_kinds" { Hearing = "hearing", Ultimatum = "ultimatum", Eviction = "eviction" }

    /// A step of the way from a report to the end of the sign-on window.
    Step in "steps" {
        Answer = "answer", FirstVerification = "first_verification", Approvals = "approvals", SignOn = "sign_on",
    }
}

/// A date that the adversary has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdversaryDate {
    /// What will happen.
    pub kind: AdversaryDateKind,
    /// When, in the offset of the place, which is kept.
    pub at: DateTime<FixedOffset>,
}

/// How long before the adversary's date an alert must be out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Leads {
    /// Before a hearing.
    pub hearing_hours: u32,
    /// Before an ultimatum runs out.
    pub ultimatum_hours: u32,
    /// Before an eviction.
    pub eviction_hours: u32,
}

impl Default for Leads {
    fn default() -> Self {
        Self { hearing_hours: 72, ultimatum_hours: 24, eviction_hours: 7 * 24 }
    }
}

impl Leads {
    /// The lead of one kind of date, in hours.
    pub const fn hours(&self, kind: AdversaryDateKind) -> u32 {
        match kind {
            AdversaryDateKind::Hearing => self.hearing_hours,
            AdversaryDateKind::Ultimatum => self.ultimatum_hours,
            AdversaryDateKind::Eviction => self.eviction_hours,
        }
    }
}

/// When the alert must be out: the date less its lead, in the date's own offset.
pub fn release_by(date: &AdversaryDate, leads: &Leads) -> DateTime<FixedOffset> {
    let lead = TimeDelta::hours(i64::from(leads.hours(date.kind)));
    date.at.checked_sub_signed(lead).unwrap_or(date.at)
}

/// A step that the normal plan cannot finish in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedStep {
    /// The step.
    pub step: Step,
    /// When the normal plan ends it.
    pub planned_at: DateTime<Utc>,
    /// How many minutes after `release_by` that is.
    pub late_minutes: i64,
    /// Whether the step is made shorter to fit. Only the sign-on window ever is: consent and the second approval
    /// are never cut, so people are told now that these will be late.
    pub shrinks: bool,
}

/// Which steps of the normal plan, begun now, end after `release_by`. The sign-on window is the last step of the
/// plan, so it is the first to be missed and to shrink.
pub fn missed_steps(
    priority: Priority,
    now: DateTime<Utc>,
    release_by: DateTime<FixedOffset>,
    clocks: &Clocks,
) -> Vec<MissedStep> {
    let clocks = clocks.of(priority);
    let verified_at = later(now, clocks.first_verification_hours.saturating_mul(60));
    let approved_at = later(verified_at, clocks.approvals_hours.saturating_mul(60));
    let signed_at = later(approved_at, clocks.sign_on_hours_max.saturating_mul(60));
    let plan = [
        (Step::SignOn, signed_at),
        (Step::Approvals, approved_at),
        (Step::FirstVerification, verified_at),
        (Step::Answer, later(now, clocks.answer_minutes)),
    ];
    plan.into_iter()
        .map(|(step, planned_at)| {
            let late_minutes = planned_at.signed_duration_since(release_by).num_minutes();
            MissedStep { step, planned_at, late_minutes, shrinks: step == Step::SignOn }
        })
        .filter(|missed| missed.late_minutes > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lead_is_taken_off_and_the_offset_kept() {
        check(AdversaryDateKind::Eviction, "2026-05-04T06:00:00-05:00", "2026-04-27T06:00:00-05:00");
        check(AdversaryDateKind::Hearing, "2026-07-12T09:00:00+03:00", "2026-07-09T09:00:00+03:00");
        check(AdversaryDateKind::Ultimatum, "2026-03-01T00:30:00+05:45", "2026-02-28T00:30:00+05:45");
    }

    #[test]
    fn the_sign_on_window_shrinks_first() {
        check_missed(18, &[]);
        check_missed(17, &[Step::SignOn]);
        check_missed(6, &[Step::SignOn]);
        check_missed(5, &[Step::SignOn, Step::Approvals]);
        check_missed(3, &[Step::SignOn, Step::Approvals, Step::FirstVerification]);
        check_missed(0, &[Step::SignOn, Step::Approvals, Step::FirstVerification, Step::Answer]);
    }

    fn check(kind: AdversaryDateKind, at: &str, expected: &str) {
        let date = AdversaryDate { kind, at: at.parse().unwrap() };
        assert_eq!(release_by(&date, &Leads::default()).to_rfc3339(), expected);
    }

    fn check_missed(hours: i64, expected: &[Step]) {
        let now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let by = (now + TimeDelta::hours(hours)).fixed_offset();
        let missed = missed_steps(Priority::P1, now, by, &Clocks::default());
        assert_eq!(missed.iter().map(|missed| missed.step).collect::<Vec<_>>(), expected, "{hours} h");
        assert!(missed.iter().all(|missed| missed.shrinks == (missed.step == Step::SignOn)));
    }
}

//! Priority, the lanes it runs in, and the clocks that run for it.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::codes::{Kind, code_list};

code_list! {
    /// How urgent a case or alert is: P1 critical, P2 high, P3 medium, P4 preventive. The most urgent sorts first.
    Priority in "priorities" { P1 = "p1", P2 = "p2", P3 = "p3", P4 = "p4" }

    /// A lane of work: urgent overtakes the others and always has slots of its own.
    Lane in "lanes" { Urgent = "urgent", Normal = "normal", Bulk = "bulk" }
}

impl Priority {
    /// Whether this priority is as urgent as another or more so. P1 is the most urgent.
    pub fn is_at_least_as_urgent_as(self, other: Self) -> bool {
        self <= other
    }

    /// The lane in which work of this priority runs. Reminders and digests run in bulk whatever their priority.
    pub const fn lane(self) -> Lane {
        match self {
            Self::P1 | Self::P2 => Lane::Urgent,
            Self::P3 => Lane::Normal,
            Self::P4 => Lane::Bulk,
        }
    }
}

/// The priority of a report that nobody has assessed yet. It runs in the urgent lane, so it is P1 or P2.
///
/// It is P1 if one of its kinds is a killing, disappearance, abduction, detention, torture, death threat or armed
/// attack, or if the adversary's date is within 24 hours. A date that has just passed counts too: nobody knows yet
/// whether it was carried out.
pub fn provisional(kinds: &[Kind], adversary_date: Option<DateTime<FixedOffset>>, now: DateTime<Utc>) -> Priority {
    let dated = adversary_date.is_some_and(|at| at.signed_duration_since(now).abs() <= TimeDelta::hours(24));
    if dated || kinds.iter().any(|kind| threatens_life_or_liberty(*kind)) { Priority::P1 } else { Priority::P2 }
}

fn threatens_life_or_liberty(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Killing
            | Kind::AttemptedKilling
            | Kind::EnforcedDisappearance
            | Kind::Abduction
            | Kind::IncommunicadoDetention
            | Kind::ArbitraryDetention
            | Kind::ArbitraryArrest
            | Kind::MassRoundup
            | Kind::Torture
            | Kind::DeathThreatPerson
            | Kind::DeathThreatFamily
            | Kind::DeathThreatColleagues
            | Kind::ArmedAttackOnPremises
    )
}

/// The clocks of one priority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorityClocks {
    /// A person answers the reporter within this time.
    pub answer_minutes: u32,
    /// If nobody did, the next duty officer is paged at each of these times after receipt.
    pub escalate_minutes: Vec<u32>,
    /// The first verification is done within this time of receipt.
    pub first_verification_hours: u32,
    /// Two approvals are given within this time; deputies are asked after half of it.
    pub approvals_hours: u32,
    /// The shortest sign-on window.
    pub sign_on_hours_min: u32,
    /// The longest sign-on window, which is the normal plan (working days counted as calendar time, five a week).
    pub sign_on_hours_max: u32,
    /// 95 % of first attempts have started within this time of release.
    pub first_attempts_minutes: u32,
    /// Those who have not acknowledged are nudged at these times after release; the last one repeats where weekly.
    pub nudge_hours: Vec<u32>,
    /// The alternate contact is asked at this time after release.
    pub alternate_contact_hours: Option<u32>,
    /// We follow up with the person at these times.
    pub follow_up_hours: Vec<u32>,
}

/// The clocks of all priorities. The defaults are what comparable networks publish, rounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clocks {
    /// The reporter has an automatic receipt within this time, at every priority.
    pub automatic_receipt_seconds: u32,
    /// Did our action cause a reprisal? It is asked at these times after closing.
    pub reprisal_check_days: Vec<u32>,
    /// Life or liberty, happening or within 24 hours.
    pub p1: PriorityClocks,
    /// Serious, within 72 hours.
    pub p2: PriorityClocks,
    /// Serious, within weeks.
    pub p3: PriorityClocks,
    /// A pattern without a dated event.
    pub p4: PriorityClocks,
}

const DAY_HOURS: u32 = 24;
const HOUR_MINUTES: u32 = 60;

impl Default for Clocks {
    fn default() -> Self {
        Self {
            automatic_receipt_seconds: 5,
            reprisal_check_days: vec![30, 90],
            p1: PriorityClocks {
                answer_minutes: 30,
                escalate_minutes: vec![15, 25],
                first_verification_hours: 4,
                approvals_hours: 2,
                sign_on_hours_min: 0,
                sign_on_hours_max: 12,
                first_attempts_minutes: 5,
                nudge_hours: vec![1, 3],
                alternate_contact_hours: Some(4),
                follow_up_hours: vec![24, 72, 7 * DAY_HOURS, 14 * DAY_HOURS, 30 * DAY_HOURS],
            },
            p2: PriorityClocks {
                answer_minutes: 2 * HOUR_MINUTES,
                escalate_minutes: vec![60, 90],
                first_verification_hours: 24,
                approvals_hours: 12,
                sign_on_hours_min: 24,
                sign_on_hours_max: 48,
                first_attempts_minutes: 15,
                nudge_hours: vec![12, 24],
                alternate_contact_hours: None,
                follow_up_hours: vec![72, 7 * DAY_HOURS, 14 * DAY_HOURS, 30 * DAY_HOURS],
            },
            p3: PriorityClocks {
                answer_minutes: 12 * HOUR_MINUTES,
                escalate_minutes: vec![6 * HOUR_MINUTES, 9 * HOUR_MINUTES],
                first_verification_hours: 72,
                approvals_hours: 48,
                sign_on_hours_min: 3 * DAY_HOURS,
                sign_on_hours_max: 5 * DAY_HOURS,
                first_attempts_minutes: HOUR_MINUTES,
                nudge_hours: vec![48],
                alternate_contact_hours: None,
                follow_up_hours: vec![14 * DAY_HOURS, 30 * DAY_HOURS, 60 * DAY_HOURS],
            },
            p4: PriorityClocks {
                answer_minutes: DAY_HOURS * HOUR_MINUTES,
                escalate_minutes: vec![12 * HOUR_MINUTES, 18 * HOUR_MINUTES],
                first_verification_hours: 7 * DAY_HOURS,
                approvals_hours: 5 * DAY_HOURS,
                sign_on_hours_min: 14 * DAY_HOURS,
                sign_on_hours_max: 28 * DAY_HOURS,
                first_attempts_minutes: DAY_HOURS * HOUR_MINUTES,
                nudge_hours: vec![7 * DAY_HOURS],
                alternate_contact_hours: None,
                follow_up_hours: vec![30 * DAY_HOURS, 90 * DAY_HOURS],
            },
        }
    }
}

impl Clocks {
    /// The clocks of one priority.
    pub const fn of(&self, priority: Priority) -> &PriorityClocks {
        match priority {
            Priority::P1 => &self.p1,
            Priority::P2 => &self.p2,
            Priority::P3 => &self.p3,
            Priority::P4 => &self.p4,
        }
    }
}

/// A page to the next duty officer, due if nobody has answered by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escalation {
    /// 1 for the first page after the one at receipt, then 2.
    pub level: u32,
    /// When the page is due.
    pub due_at: DateTime<Utc>,
}

/// The pages that are due while nobody answers a case, in order.
pub fn escalations(priority: Priority, received_at: DateTime<Utc>, clocks: &Clocks) -> Vec<Escalation> {
    let minutes = &clocks.of(priority).escalate_minutes;
    (1..).zip(minutes).map(|(level, minutes)| Escalation { level, due_at: later(received_at, *minutes) }).collect()
}

/// A time some minutes later; the latest time there is where that would overflow.
pub(crate) fn later(from: DateTime<Utc>, minutes: u32) -> DateTime<Utc> {
    from.checked_add_signed(TimeDelta::minutes(i64::from(minutes))).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_assessed_a_report_is_p1_or_p2() {
        check(&[Kind::Summons, Kind::DeathThreatFamily], None, Priority::P1);
        check(&[Kind::ArbitraryDetention], None, Priority::P1);
        check(&[Kind::ArmedAttackOnPremises], None, Priority::P1);
        check(&[Kind::Eviction], Some(23), Priority::P1);
        check(&[Kind::Eviction], Some(24), Priority::P1);
        check(&[Kind::Eviction], Some(25), Priority::P2);
        check(&[Kind::Eviction], Some(-2), Priority::P1);
        check(&[Kind::Eviction], Some(-25), Priority::P2);
        check(&[Kind::SmearCampaign, Kind::ThreatOther], None, Priority::P2);
        check(&[], None, Priority::P2);
    }

    #[test]
    fn nobody_answering_pages_the_next() {
        let received_at = now();
        let minutes: Vec<_> = Priority::ALL
            .iter()
            .flat_map(|priority| escalations(*priority, received_at, &Clocks::default()))
            .map(|escalation| (escalation.level, (escalation.due_at - received_at).num_minutes()))
            .collect();
        assert_eq!(minutes, [(1, 15), (2, 25), (1, 60), (2, 90), (1, 360), (2, 540), (1, 720), (2, 1080)]);
    }

    #[test]
    fn p1_is_the_most_urgent() {
        assert!(Priority::P1.is_at_least_as_urgent_as(Priority::P4));
        assert!(Priority::P2.is_at_least_as_urgent_as(Priority::P2));
        assert!(!Priority::P3.is_at_least_as_urgent_as(Priority::P2));
        let lanes: Vec<_> = Priority::ALL.iter().map(|priority| priority.lane().as_str()).collect();
        assert_eq!(lanes, ["urgent", "urgent", "normal", "bulk"]);
    }

    #[test]
    fn a_part_of_the_clocks_can_be_configured() {
        let clocks: Clocks = serde_json::from_str(r#"{"automatic_receipt_seconds": 9}"#).unwrap();
        assert_eq!(clocks, Clocks { automatic_receipt_seconds: 9, ..Clocks::default() });
        assert!(serde_json::from_str::<Clocks>(r#"{"p5": {}}"#).is_err());
    }

    fn check(kinds: &[Kind], hours: Option<i64>, expected: Priority) {
        let date = hours.map(|hours| (now() + TimeDelta::hours(hours)).fixed_offset());
        assert_eq!(provisional(kinds, date, now()), expected, "{kinds:?} {hours:?}");
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 0).unwrap()
    }
}

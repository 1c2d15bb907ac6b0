//! What an attempt's end means for its notice: rest, another attempt, or a person's hands. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use tocsin_domain::notice::{NoticeState, advance};
use tocsin_domain::priority::Lane;
use tocsin_domain::schedule::{RetrySchedule, next_attempt_at};

use crate::channel::{Outcome, Pace};

/// Why a notice waits whose destination fails.
pub(super) const BREAKER_OPEN: &str = "breaker_open";

/// The notice as its row stands when the attempt has ended.
#[derive(Debug, Clone)]
pub(super) struct Standing<'a> {
    pub(super) state: NoticeState,
    pub(super) lane: Lane,
    /// Attempts before this one.
    pub(super) attempts: i32,
    /// It was withdrawn while the attempt was in flight.
    pub(super) withdrawn_reason: Option<&'a str>,
    /// What a destination asks for never moves an attempt past this.
    pub(super) deadline: DateTime<Utc>,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) state: NoticeState,
    pub(super) reason: Option<String>,
    /// When the next attempt is due; none when the notice has come to rest.
    pub(super) next_at: Option<DateTime<Utc>>,
    /// A person must act: it ended without having reached anybody, and not because somebody wished so.
    pub(super) by_hand: bool,
}

/// Decides. `jitter` is from 0 to 1.
pub(super) fn decide(
    standing: &Standing<'_>,
    outcome: &Outcome,
    now: DateTime<Utc>,
    schedule: &RetrySchedule,
    jitter: f64,
) -> Verdict {
    let (state, reason, next_at) = match outcome {
        Outcome::Taken { state, .. } => (*state, None, None),
        Outcome::Withheld { state, reason } => (*state, Some((*reason).to_owned()), None),
        Outcome::Gone { code } => (NoticeState::RejectedPermanent, Some(code.clone()), None),
        // It failed and may not be tried again, because it was withdrawn meanwhile.
        Outcome::Refused { .. } | Outcome::Temporary { .. } | Outcome::Postponed { .. }
            if standing.withdrawn_reason.is_some() =>
        {
            (NoticeState::Withdrawn, standing.withdrawn_reason.map(str::to_owned), None)
        }
        Outcome::Refused { code, tries } if standing.attempts + 1 >= *tries => {
            (NoticeState::RejectedPermanent, Some(code.clone()), None)
        }
        Outcome::Postponed { code, seconds } => {
            // Probes are our own doing and at most minutes apart; what a destination asks for ends with the deadline.
            let deadline = (*code != BREAKER_OPEN).then_some(standing.deadline);
            // At least a second, so that a deadline that has passed makes no busy loop.
            let at = next_attempt_at(now, TimeDelta::seconds(1), Some(*seconds), deadline);
            (NoticeState::Queued, Some((*code).to_owned()), Some(at))
        }
        Outcome::Refused { code, .. } => retry(standing, code, Pace::Lane, None, now, schedule, jitter),
        Outcome::Temporary { code, pace, retry_after_seconds, .. } => {
            retry(standing, code, *pace, *retry_after_seconds, now, schedule, jitter)
        }
    };
    settle(standing.state, state, reason, next_at)
}

/// The most that a destination may ask for, in seconds: one proxy that is set badly must not silence a member.
const RETRY_AFTER_SECONDS_MAX: u32 = 3_600;

fn retry(
    standing: &Standing<'_>,
    code: &str,
    pace: Pace,
    retry_after_seconds: Option<u32>,
    now: DateTime<Utc>,
    schedule: &RetrySchedule,
    jitter: f64,
) -> (NoticeState, Option<String>, Option<DateTime<Utc>>) {
    let attempts = u32::try_from(standing.attempts).unwrap_or(0).saturating_add(1);
    let delay = match pace {
        Pace::Lane => schedule.delay(standing.lane, attempts, jitter),
        Pace::MailServer => schedule.email_delay(attempts, jitter),
    };
    match delay {
        Some(delay) => {
            let asked = retry_after_seconds.map(|seconds| seconds.min(RETRY_AFTER_SECONDS_MAX));
            let at = next_attempt_at(now, delay, asked, Some(standing.deadline));
            (NoticeState::Queued, Some(code.to_owned()), Some(at))
        }
        None => (NoticeState::FailedTemporary, Some(code.to_owned()), None),
    }
}

/// News that came first, as an early receipt, is never lost or weakened.
fn settle(
    current: NoticeState,
    incoming: NoticeState,
    reason: Option<String>,
    next_at: Option<DateTime<Utc>>,
) -> Verdict {
    let state = advance(current, incoming);
    let next_at = next_at.filter(|_| state == NoticeState::Queued);
    Verdict { state, reason: if state == incoming { reason } else { None }, next_at, by_hand: needs_a_person(state) }
}

/// Ends that nobody wished for.
pub(crate) fn needs_a_person(state: NoticeState) -> bool {
    matches!(state, NoticeState::FailedTemporary | NoticeState::RejectedPermanent | NoticeState::Expired)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_failures_follow_the_lane_until_the_list_ends() {
        let later = Outcome::temporary("timeout");
        check(NoticeState::Queued, 0, None, &later, "queued +0");
        check(NoticeState::Queued, 1, None, &later, "queued +2");
        check(NoticeState::Queued, 15, None, &later, "queued +86400");
        check(NoticeState::Queued, 16, None, &later, "failed_temporary by hand");
    }

    #[test]
    fn a_mail_server_is_given_its_own_time() {
        let busy = Outcome::Temporary {
            code: "451".to_owned(),
            pace: Pace::MailServer,
            retry_after_seconds: None,
            throttled: false,
        };
        check(NoticeState::Queued, 0, None, &busy, "queued +60");
        check(NoticeState::Queued, 47, None, &busy, "failed_temporary by hand");
    }

    #[test]
    fn retry_after_is_honoured_but_not_past_the_deadline() {
        let asked = |seconds| Outcome::Temporary {
            code: "http_429".to_owned(),
            pace: Pace::Lane,
            retry_after_seconds: Some(seconds),
            throttled: true,
        };
        check(NoticeState::Queued, 0, None, &asked(60), "queued +60");
        check(NoticeState::Queued, 0, None, &asked(999_999), "queued +3600");
    }

    #[test]
    fn a_pause_is_no_attempt_and_ends_with_the_deadline() {
        let paused = |seconds| Outcome::Postponed { code: "host_paused", seconds };
        check(NoticeState::Queued, 3, None, &paused(40), "queued +40");
        check(NoticeState::Queued, 15, None, &paused(99_999), "queued +3600");
        check(NoticeState::Queued, 3, None, &paused(0), "queued +1");
        check(NoticeState::Queued, 3, Some("stopped"), &paused(40), "withdrawn");
        let broken = Outcome::Postponed { code: BREAKER_OPEN, seconds: 15 };
        check(NoticeState::Queued, 3, None, &broken, "queued +15");
    }

    #[test]
    fn nobody_is_left_alone_for_longer_than_an_hour_because_it_asks_for_that() {
        let now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let deadline = now + TimeDelta::hours(12);
        let standing =
            Standing { state: NoticeState::Queued, lane: Lane::Urgent, attempts: 0, withdrawn_reason: None, deadline };
        let asked = Outcome::Temporary {
            code: "http_429".to_owned(),
            pace: Pace::Lane,
            retry_after_seconds: Some(999_999),
            throttled: true,
        };
        let verdict = decide(&standing, &asked, now, &RetrySchedule::default(), 0.0);
        assert_eq!(verdict.next_at, Some(now + TimeDelta::hours(1)));
    }

    #[test]
    fn refusals_end_after_their_tries() {
        let refused = |tries| Outcome::Refused { code: "http_404".to_owned(), tries };
        check(NoticeState::Queued, 0, None, &refused(1), "rejected_permanent by hand");
        check(NoticeState::Queued, 1, None, &refused(3), "queued +2");
        check(NoticeState::Queued, 2, None, &refused(3), "rejected_permanent by hand");
    }

    #[test]
    fn what_was_in_flight_when_it_was_withdrawn_ends_honestly() {
        let accepted = Outcome::taken(NoticeState::Accepted, "250");
        check(NoticeState::Queued, 0, Some("stopped"), &accepted, "accepted");
        check(NoticeState::Queued, 0, Some("stopped"), &Outcome::temporary("timeout"), "withdrawn");
    }

    #[test]
    fn an_early_receipt_is_not_lost() {
        let accepted = Outcome::taken(NoticeState::Accepted, "kannel_0");
        check(NoticeState::Delivered, 0, None, &accepted, "delivered");
        check(NoticeState::RejectedPermanent, 0, None, &accepted, "rejected_permanent by hand");
        check(NoticeState::Delivered, 0, None, &Outcome::temporary("timeout"), "delivered");
    }

    /// The rows of a table of the published state machine, as their cells.
    fn published(heading: &str) -> Vec<Vec<String>> {
        let page = include_str!("../../../../docs/notices.md");
        let part = page.split(&format!("\n## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = part.lines().filter(|line| line.starts_with('|')).skip(2);
        rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect())
            .collect()
    }

    #[test]
    fn the_published_states_are_those_of_the_code() {
        let rows = published("The states, from the weakest knowledge to the strongest");
        let told: Vec<String> = rows.iter().map(|row| row[..3].join(" ")).collect();
        let kind = |state: NoticeState| match state {
            NoticeState::Queued => "moving",
            state if state.is_end() => "end",
            state if state.is_reached() => "proof",
            _ => "handed over",
        };
        let hand = |state| if needs_a_person(state) { "yes" } else { "no" };
        let known: Vec<String> =
            NoticeState::ALL.iter().map(|state| format!("{state} {} {}", kind(*state), hand(*state))).collect();
        assert_eq!(told, known);
        assert!(NoticeState::ALL.is_sorted(), "they are listed by strength");
    }

    #[test]
    fn the_published_ends_of_attempts_are_those_of_the_code() {
        let refused = |tries| Outcome::Refused { code: "http_404".to_owned(), tries };
        let put_off = |code| Outcome::Postponed { code, seconds: 20 };
        let withheld = |state| Outcome::Withheld { state, reason: "reason" };
        let failed = Outcome::temporary("timeout");
        let known = [
            (0, None, Outcome::taken(NoticeState::Delivered, "http_200")),
            (0, None, Outcome::taken(NoticeState::Accepted, "250")),
            (0, None, Outcome::taken(NoticeState::HandedToGateway, "http_200")),
            (0, None, failed.clone()),
            (16, None, failed.clone()),
            (0, None, refused(3)),
            (2, None, refused(3)),
            (0, None, Outcome::Gone { code: "http_410".to_owned() }),
            (0, None, put_off("host_paused")),
            (0, None, put_off(BREAKER_OPEN)),
            (0, Some("stopped"), failed),
            (0, None, withheld(NoticeState::Withdrawn)),
            (0, None, withheld(NoticeState::Expired)),
        ];
        let rows = published("What the end of an attempt does");
        assert_eq!(rows.len(), known.len());
        for (row, (attempts, withdrawn, outcome)) in rows.iter().zip(known) {
            let (verdict, _) = decided(NoticeState::Queued, attempts, withdrawn, &outcome);
            assert_eq!(row[1], verdict.state.as_str(), "{row:?}");
            assert_eq!(row[2] == "none", verdict.next_at.is_none(), "{row:?}");
        }
    }

    fn decided(
        state: NoticeState,
        attempts: i32,
        withdrawn: Option<&str>,
        outcome: &Outcome,
    ) -> (Verdict, DateTime<Utc>) {
        let now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let deadline = now + TimeDelta::hours(1);
        let standing = Standing { state, lane: Lane::Urgent, attempts, withdrawn_reason: withdrawn, deadline };
        (decide(&standing, outcome, now, &RetrySchedule::default(), 0.0), now)
    }

    fn check(state: NoticeState, attempts: i32, withdrawn: Option<&str>, outcome: &Outcome, expected: &str) {
        let (verdict, now) = decided(state, attempts, withdrawn, outcome);
        let next = verdict.next_at.map(|at| format!(" +{}", (at - now).num_seconds())).unwrap_or_default();
        let hand = if verdict.by_hand { " by hand" } else { "" };
        assert_eq!(format!("{}{next}{hand}", verdict.state), expected);
    }
}

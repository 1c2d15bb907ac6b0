//! What each gateway was given of one notice, what it said, and what follows. Pure.
//!
//! A gateway that took the message is never given it again. One that did not answer is given it once more at most, and
//! each crash of ours between a send and its record costs one repeat at most. Urgent messages of which no receipt comes go
//! to the next gateway. News may come in any order and any number of times.

use tocsin_domain::notice::NoticeState;

use crate::channel::Outcome;
use crate::entity::sms::submission::Model as Submission;
use crate::gateways::{PAUSED_SECONDS, put_off};

/// How often a gateway may be given a message without answering.
const UNKNOWN_MAX: i32 = 2;

/// How long receipts are waited for.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "the unit belongs into each name")]
pub(crate) struct Patience {
    /// Until an urgent message goes to the next gateway.
    pub(crate) receipt_ms: i64,
    /// Until nobody waits any more.
    pub(crate) give_up_ms: i64,
    /// Until an attempt that is being made is looked at again.
    pub(crate) attempt_ms: i64,
}

/// A gateway as it can be chosen.
#[derive(Debug, Clone)]
pub(crate) struct Usable {
    pub(crate) name: String,
    pub(crate) paused: bool,
}

/// Which gateway an attempt asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    Send(String),
    /// A gateway has it, and its receipt is awaited: nothing is sent.
    Awaited,
    /// Nobody needs it any more, and no gateway has it.
    Withdrawn,
    /// Those that could be asked are paused.
    Paused,
    /// No gateway has answered, each was asked twice.
    Silent,
    /// Every gateway has it or refused it.
    Exhausted,
}

/// What follows for a notice that a gateway took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing is awaited any more.
    Rest,
    /// It is looked at again then, in milliseconds.
    LookAt(i64),
    /// The next gateway is asked now.
    SendNow,
    /// It ends so, for this reason.
    End(NoticeState, &'static str),
}

/// A notice as far as its next step depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) state: NoticeState,
    pub(crate) urgent: bool,
    /// Nobody needs it any more.
    pub(crate) withdrawn: bool,
    /// An attempt is being made; its end will be looked at.
    pub(crate) in_flight: bool,
    pub(crate) give_up_at_ms: i64,
    pub(crate) gateways: &'a [Usable],
    pub(crate) submissions: &'a [Submission],
}

/// A submission that nothing has been said about.
pub(crate) fn fresh(notice_id: uuid::Uuid, gateway: &str) -> Submission {
    Submission {
        notice_id,
        gateway: gateway.to_owned(),
        tries: 0,
        open_since_ms: None,
        unknown: 0,
        message_id: None,
        taken_at_ms: None,
        accepted_at_ms: None,
        heard: false,
        failed: false,
        refused: false,
        next_try_at_ms: None,
    }
}

/// Whether a send may be under way, of which neither answer nor receipt is known.
pub(crate) fn is_open(submission: &Submission) -> bool {
    submission.open_since_ms.is_some() && submission.taken_at_ms.is_none()
}

/// It may still arrive by this gateway.
fn is_live(submission: &Submission) -> bool {
    submission.taken_at_ms.is_some() && !submission.failed
}

fn may_be_asked(submission: &Submission) -> bool {
    submission.taken_at_ms.is_none() && !submission.failed && !submission.refused && submission.unknown < UNKNOWN_MAX
}

/// The gateways that could be asked, those asked least first, then as they are listed.
fn candidates<'a>(gateways: &'a [Usable], submissions: &'a [Submission]) -> Vec<(&'a Usable, Option<&'a Submission>)> {
    let known = |gateway: &Usable| submissions.iter().find(|submission| submission.gateway == gateway.name);
    let mut open: Vec<_> = gateways
        .iter()
        .map(|gateway| (gateway, known(gateway)))
        .filter(|(_, submission)| submission.is_none_or(may_be_asked))
        .collect();
    open.sort_by_key(|(_, submission)| submission.map_or(0, |submission| submission.tries));
    open
}

/// Whether a gateway may still be asked, now or when it is resumed.
pub(crate) fn may_go_on(standing: &Standing<'_>) -> bool {
    !candidates(standing.gateways, standing.submissions).is_empty()
}

/// Whether everything that may still arrive has been waited for long enough, and nothing was heard.
fn is_overdue(standing: &Standing<'_>, patience: Patience, now_ms: i64) -> bool {
    let mut live = standing.submissions.iter().filter(|submission| is_live(submission));
    live.all(|one| !one.heard && one.taken_at_ms.is_some_and(|at| at + patience.receipt_ms <= now_ms))
}

/// Chooses for an attempt that is about to be made.
pub(crate) fn choose(standing: &Standing<'_>, patience: Patience, now_ms: i64) -> Choice {
    let live = standing.submissions.iter().any(is_live);
    if live && (standing.withdrawn || !standing.urgent || !is_overdue(standing, patience, now_ms)) {
        return Choice::Awaited;
    }
    if standing.withdrawn {
        return Choice::Withdrawn;
    }
    let open = candidates(standing.gateways, standing.submissions);
    if let Some((gateway, _)) = open.iter().find(|(gateway, _)| !gateway.paused) {
        return Choice::Send(gateway.name.clone());
    }
    if !open.is_empty() {
        return Choice::Paused;
    }
    let silent = |one: &Submission| one.taken_at_ms.is_none() && !one.failed && !one.refused;
    if !live && standing.submissions.iter().any(silent) { Choice::Silent } else { Choice::Exhausted }
}

/// An attempt begins. Until its end is known, it may have been taken.
pub(crate) fn begin(submission: &mut Submission, now_ms: i64) {
    submission.tries += 1;
    submission.open_since_ms = Some(now_ms);
}

/// An attempt has ended.
pub(crate) fn end(submission: &mut Submission, outcome: &Outcome, patience: Patience, now_ms: i64) {
    submission.open_since_ms = None;
    submission.next_try_at_ms = Some(now_ms + patience.receipt_ms);
    match outcome {
        Outcome::Taken { state, provider_id, .. } => {
            if *state >= NoticeState::Accepted {
                submission.accepted_at_ms = submission.accepted_at_ms.or(Some(now_ms));
            }
            submission.taken_at_ms = submission.taken_at_ms.or(Some(now_ms));
            submission.message_id = provider_id.clone().or_else(|| submission.message_id.take());
        }
        Outcome::Temporary { code, .. } if may_have_been_taken(code) => submission.unknown += 1,
        Outcome::Refused { tries, .. } => submission.refused = submission.tries >= *tries,
        Outcome::Temporary { .. } | Outcome::Postponed { .. } | Outcome::Gone { .. } | Outcome::Withheld { .. } => {}
    }
}

/// Ends after which the gateway may have the message all the same.
fn may_have_been_taken(code: &str) -> bool {
    matches!(code, "timeout" | "connection_broken")
}

/// A receipt says something of a submission. Returns the state that the notice has by it.
pub(crate) fn hear(submission: &mut Submission, news: NoticeState, now_ms: i64) -> NoticeState {
    // Whoever gives a receipt has taken it, whatever became of our request.
    submission.taken_at_ms = submission.taken_at_ms.or(Some(now_ms));
    match news {
        NoticeState::RejectedPermanent => {
            submission.failed = true;
            NoticeState::HandedToGateway
        }
        news if news.is_reached() => {
            submission.heard = true;
            news
        }
        NoticeState::Accepted => {
            submission.heard = true;
            NoticeState::Accepted
        }
        _ => NoticeState::HandedToGateway,
    }
}

/// What follows now.
pub(crate) fn next(standing: &Standing<'_>, patience: Patience, now_ms: i64) -> Step {
    if standing.state.is_reached() || standing.state.is_end() {
        return Step::Rest;
    }
    if standing.in_flight {
        return Step::LookAt(now_ms + patience.attempt_ms);
    }
    let live: Vec<&Submission> = standing.submissions.iter().filter(|one| is_live(one)).collect();
    if live.iter().any(|one| one.heard) {
        return Step::Rest;
    }
    if live.is_empty() {
        return when_none_is_live(standing, now_ms);
    }
    if now_ms >= standing.give_up_at_ms {
        return Step::End(NoticeState::UnknownNoReceipt, "no_receipt");
    }
    if standing.withdrawn || !standing.urgent {
        return Step::LookAt(standing.give_up_at_ms);
    }
    if !is_overdue(standing, patience, now_ms) {
        let due = live.iter().filter_map(|one| one.taken_at_ms).max().map_or(now_ms, |at| at + patience.receipt_ms);
        return Step::LookAt(due.min(standing.give_up_at_ms));
    }
    ask_another(standing, now_ms).unwrap_or(Step::LookAt(standing.give_up_at_ms))
}

/// Every gateway that took it says that it will not arrive, or none took it.
fn when_none_is_live(standing: &Standing<'_>, now_ms: i64) -> Step {
    if !standing.submissions.iter().any(|one| one.failed) && standing.state == NoticeState::Queued {
        // The engine's schedule decides.
        return Step::Rest;
    }
    if standing.withdrawn {
        return Step::End(NoticeState::Withdrawn, "withdrawn");
    }
    let refused = Step::End(NoticeState::RejectedPermanent, "carrier_refused");
    ask_another(standing, now_ms).filter(|_| now_ms < standing.give_up_at_ms).unwrap_or(refused)
}

/// Asks a gateway that may be asked, or waits until one may.
fn ask_another(standing: &Standing<'_>, now_ms: i64) -> Option<Step> {
    let open = candidates(standing.gateways, standing.submissions);
    let ready_at = |submission: Option<&Submission>| submission.and_then(|one| one.next_try_at_ms).unwrap_or(now_ms);
    let earliest =
        open.iter().filter(|(gateway, _)| !gateway.paused).map(|(_, submission)| ready_at(*submission)).min();
    match earliest {
        Some(at) if at <= now_ms => Some(Step::SendNow),
        Some(at) => Some(Step::LookAt(at.min(standing.give_up_at_ms.max(now_ms + 1)))),
        // Paused ones may be resumed.
        None if !open.is_empty() => Some(Step::LookAt(now_ms + i64::from(PAUSED_SECONDS) * 1_000)),
        None => None,
    }
}

/// What the end of a send means for its notice, with everything that is known by now: `news` is the state that answer
/// and receipts prove, `goes_on` whether a gateway may still be asked.
pub(crate) fn outcome_of(
    outcome: &Outcome,
    state: NoticeState,
    submission: &Submission,
    news: Option<NoticeState>,
    step: Step,
    goes_on: bool,
) -> Outcome {
    let is_over = matches!(step, Step::End(NoticeState::RejectedPermanent, _));
    let or_later = |code: &str| if is_over { refused(code) } else { Outcome::temporary(code) };
    match (outcome, news) {
        // A receipt that overtook the answer says that it will not arrive.
        (Outcome::Taken { .. }, _) if submission.failed => or_later("carrier_refused"),
        (Outcome::Taken { code, provider_id, .. }, Some(news)) => {
            Outcome::Taken { state: news, code: code.clone(), provider_id: provider_id.clone() }
        }
        // It did not answer, but a receipt shows that it has the message.
        (Outcome::Temporary { code, .. }, _) if is_live(submission) => {
            Outcome::taken(NoticeState::HandedToGateway, code.clone())
        }
        // Another gateway may still have it: the end of this one is not the notice's.
        (Outcome::Temporary { code, .. } | Outcome::Refused { code, .. }, _) if state != NoticeState::Queued => {
            or_later(code)
        }
        // A gateway that refuses us says nothing of the number: the notice ends when no gateway is left to ask.
        (Outcome::Refused { code, tries }, _) if goes_on && *tries > 1 => Outcome::temporary(code),
        _ => outcome.clone(),
    }
}

/// When the watch looks again after a send: an end that the send's own outcome does not tell is left to the watch.
pub(crate) fn watched(step: Step, now_ms: i64) -> Step {
    match step {
        Step::SendNow => Step::LookAt(now_ms + 1),
        Step::End(state, _) if state != NoticeState::RejectedPermanent => Step::LookAt(now_ms + 1),
        other => other,
    }
}

/// What an attempt means for which nothing is sent.
pub(crate) fn without_sending(choice: &Choice, state: NoticeState, submissions: &[Submission]) -> Outcome {
    let nothing_new = Outcome::Withheld { state: NoticeState::HandedToGateway, reason: "awaiting_receipt" };
    let live = submissions.iter().find(|one| is_live(one));
    match choice {
        // We died after the gateway's answer was written and before the notice's was.
        Choice::Awaited if state == NoticeState::Queued => {
            let provider_id = live.and_then(|one| one.message_id.clone());
            let accepted = live.is_some_and(|one| one.accepted_at_ms.is_some() || one.heard);
            let state = if accepted { NoticeState::Accepted } else { NoticeState::HandedToGateway };
            Outcome::Taken { state, code: "taken_before".to_owned(), provider_id }
        }
        Choice::Send(_) | Choice::Awaited => nothing_new,
        Choice::Withdrawn => Outcome::Withheld { state: NoticeState::Withdrawn, reason: "withdrawn" },
        Choice::Paused => put_off(),
        Choice::Silent => Outcome::Withheld { state: NoticeState::FailedTemporary, reason: "gateway_silent" },
        Choice::Exhausted if live.is_some() => nothing_new,
        Choice::Exhausted if submissions.is_empty() => Outcome::temporary("no_gateway"),
        Choice::Exhausted => refused("carrier_refused"),
    }
}

/// It ends now.
pub(crate) fn refused(code: &str) -> Outcome {
    Outcome::Refused { code: code.to_owned(), tries: 1 }
}

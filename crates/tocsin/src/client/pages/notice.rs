//! Notices as people read them.

use std::collections::BTreeMap;

use tocsin_proto::notification::v1::{
    Change, GetNoticeProgressResponse, GetNoticeResponse, Notice, RedriveNoticesResponse, WithdrawNoticesResponse,
};

use crate::output::{Page, Table, moment};

/// The table of notices.
pub(in crate::client) fn table(notices: &[Notice]) -> Table {
    let mut table =
        Table::new(["notice", "contact", "channel", "lane", "state", "attempts", "changed", "next", "reason"]);
    for notice in notices {
        table.row([
            notice.notice_id.clone(),
            notice.contact_id.clone(),
            notice.channel.clone(),
            notice.lane.clone(),
            notice.state.clone(),
            notice.attempts.to_string(),
            moment(notice.changed_at.as_ref()),
            next(notice),
            notice.reason.clone(),
        ]);
    }
    table
}

/// When something happens next.
fn next(notice: &Notice) -> String {
    if notice.in_hand { "now".to_owned() } else { moment(notice.due_at.as_ref()) }
}

/// One notice, with every attempt.
pub(in crate::client) fn page(answer: &GetNoticeResponse) -> String {
    let mut page = Page::new();
    let notice = answer.notice.clone().unwrap_or_default();
    page.field("notice", &notice.notice_id);
    let revision = if notice.revision > 0 { format!(", revision {}", notice.revision) } else { String::new() };
    page.field("alert", format!("{} ({}{revision})", answer.short_code, notice.alert_id));
    page.field("contact", &notice.contact_id).field("organisation", &notice.organisation_id);
    page.field("channel", &notice.channel).field("lane", &notice.lane);
    page.field("state", &notice.state).field("reason", &notice.reason);
    page.field("since", moment(notice.changed_at.as_ref())).field("next attempt", next(&notice));
    page.field("not after", moment(answer.expires_at.as_ref())).field("handed to", &notice.handed_to);
    let mut attempts = Table::new(["attempt", "began", "took", "gateway", "outcome", "code", "answer"]);
    for attempt in &answer.attempts {
        attempts.row([
            attempt.number.to_string(),
            moment(attempt.started_at.as_ref()),
            format!("{} ms", attempt.milliseconds),
            attempt.gateway.clone(),
            attempt.outcome.clone(),
            attempt.code.clone(),
            attempt.answer.clone(),
        ]);
    }
    if attempts.is_empty() {
        page.heading("No attempt has been made.");
    } else {
        page.heading("Attempts").table(&attempts);
    }
    let mut receipts = Table::new(["gateway", "sends", "taken", "receipt"]);
    for one in &answer.submissions {
        receipts.row([
            one.gateway.clone(),
            one.tries.to_string(),
            moment(one.taken_at.as_ref()),
            standing(&one.standing).to_owned(),
        ]);
    }
    if !receipts.is_empty() {
        page.heading("What each gateway said").table(&receipts);
    }
    if let Some(bounce) = &answer.bounce {
        let when = moment(bounce.at.as_ref());
        page.heading(&format!("It came back at {when}: a {} bounce, status {}.", bounce.class, bounce.status));
    }
    if !answer.changes.is_empty() {
        page.heading("Changed by hand").table(&changes(&answer.changes));
    }
    page.finish()
}

fn standing(word: &str) -> &str {
    match word {
        "taken" => "none yet",
        "on_its_way" => "the carrier has it",
        "failed" => "it will not arrive",
        "refused" => "the gateway refused it",
        "unanswered" => "the gateway did not answer",
        other => other,
    }
}

/// How far an alert has come.
pub(in crate::client) fn progress(answer: &GetNoticeProgressResponse) -> String {
    let mut page = Page::new();
    page.field("alert", format!("{} ({})", answer.short_code, answer.alert_id));
    let all: u64 = answer.counts.iter().map(|one| one.notices).sum();
    page.field("notices", all.to_string()).field("still due", answer.still_due.to_string());
    page.field("next attempt", moment(answer.next_due_at.as_ref())).field("attempts", answer.attempts.to_string());
    page.field("first attempt", moment(answer.first_attempt_at.as_ref()));
    page.field("last attempt", moment(answer.last_attempt_at.as_ref()));
    let several = answer.counts.iter().any(|one| one.revision > 0);
    if several {
        let mut table = Table::new(["revision", "channel", "state", "notices"]);
        for one in &answer.counts {
            table.row([one.revision.to_string(), one.channel.clone(), one.state.clone(), one.notices.to_string()]);
        }
        page.heading("By revision, channel and state").table(&table);
    } else {
        let mut table = Table::new(["channel", "state", "notices"]);
        for one in &answer.counts {
            table.row([one.channel.clone(), one.state.clone(), one.notices.to_string()]);
        }
        page.heading("By channel and state").table(&table);
    }
    page.finish()
}

/// What a redrive did, or would do.
pub(in crate::client) fn redriven(answer: &RedriveNoticesResponse) -> String {
    let mut page = Page::new();
    page.field("sent again", sum(answer).to_string());
    let by_state: BTreeMap<_, _> = answer.notices_by_state.iter().collect();
    for (state, count) in by_state {
        page.field(&format!("  were {state}"), count.to_string());
    }
    let left: BTreeMap<_, _> = answer.left_by_reason.iter().collect();
    for (reason, count) in left {
        page.field(&format!("left alone, {}", why_left(reason)), count.to_string());
    }
    page.finish()
}

fn why_left(reason: &str) -> &str {
    match reason {
        "too_late" => "their alert has expired",
        "withdrawn" => "they were withdrawn or answered",
        "no_address" => "they have no address",
        "bulletin_unreadable" => "nobody can read what they are about",
        other => other,
    }
}

/// How many a redrive sends again.
pub(in crate::client) fn sum(answer: &RedriveNoticesResponse) -> u64 {
    answer.notices_by_state.values().sum()
}

/// What a withdrawal did.
pub(in crate::client) fn withdrawn(answer: &WithdrawNoticesResponse) -> String {
    let mut page = Page::new();
    page.field("withdrawn", answer.withdrawn.to_string());
    if answer.in_hand > 0 {
        page.field("being sent", answer.in_hand.to_string());
        page.line("What is being sent cannot be held back any more; if the attempt fails, no other follows.");
    }
    page.finish()
}

/// The table of changes.
pub(in crate::client) fn changes(changes: &[Change]) -> Table {
    let mut table = Table::new(["at", "who", "what", "to", "why", "notices"]);
    for change in changes {
        table.row([
            moment(change.at.as_ref()),
            change.actor_id.clone(),
            change.kind.clone(),
            change.subject.clone(),
            change.reason.clone(),
            if change.notices == 0 { String::new() } else { change.notices.to_string() },
        ]);
    }
    table
}

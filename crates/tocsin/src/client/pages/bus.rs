//! The bus of each service, as operators read it.

use tocsin_proto::catalogue::Service;
use tocsin_proto::operations::v1::{
    Drift, GetBusResponse, ListAdvisoriesResponse, ListDeadLettersResponse, RedriveDeadLettersResponse,
};

use crate::output::{Page, Table, moment};

/// The status of each service that answered.
pub(in crate::client) fn status(answers: &[(Service, GetBusResponse)]) -> String {
    let mut page = Page::new();
    for (service, answer) in answers {
        page.heading(service.as_str());
        let connection = match (answer.kind.as_str(), answer.connected) {
            ("in_process", _) => "within this process",
            (_, true) => "connected",
            (_, false) => "away: events wait in the outbox",
        };
        page.field("broker", connection);
        if let Some(stream) = &answer.stream {
            let holds = if stream.exists {
                format!("{}: {} events, {} bytes", stream.name, stream.messages, stream.bytes)
            } else {
                format!("{}: missing", stream.name)
            };
            page.field("stream", holds).field("stream drift", drift(&stream.drift));
        }
        for owed in &answer.owed {
            let since = format!("{} events, the oldest for {} s", owed.events, owed.oldest_seconds);
            page.field(&format!("owed to {}", owed.consumer), since);
        }
        page.field("dead letters", number(answer.dead_letters)).field("advisories", number(answer.advisories));
        for event in &answer.oversize_events {
            let says = format!(
                "{} {} has {} bytes and the broker takes {}: raise its max_payload",
                event.kind, event.event_id, event.bytes, answer.message_bytes_max
            );
            page.field("too large", says);
        }
        page.table(&consumers(answer));
    }
    page.finish()
}

fn consumers(answer: &GetBusResponse) -> Table {
    let mut table = Table::new(["consumer", "state", "waiting", "unanswered", "drift"]);
    for consumer in &answer.consumers {
        table.row([
            consumer.name.clone(),
            if consumer.exists { "there" } else { "missing" }.to_owned(),
            consumer.waiting.to_string(),
            consumer.unanswered.to_string(),
            drift(&consumer.drift),
        ]);
    }
    table
}

fn drift(drift: &[Drift]) -> String {
    let one = |drift: &Drift| format!("{} is {} and should be {}", drift.setting, drift.found, drift.wanted);
    drift.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Zero is left out.
fn number(number: u64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

/// The table of dead letters.
pub(in crate::client) fn dead_letters(answers: &[(Service, ListDeadLettersResponse)]) -> Table {
    let mut table = Table::new(["service", "event", "kind", "attempts", "died", "redrive asked", "fault"]);
    for (service, answer) in answers {
        for letter in &answer.dead_letters {
            table.row([
                service.to_string(),
                letter.event_id.clone(),
                letter.kind.clone(),
                letter.attempts.to_string(),
                moment(letter.died_at.as_ref()),
                moment(letter.redrive_at.as_ref()),
                letter.fault.clone(),
            ]);
        }
    }
    table
}

/// The table of advisories.
pub(in crate::client) fn advisories(answers: &[(Service, ListAdvisoriesResponse)]) -> Table {
    let mut table = Table::new(["service", "at", "kind", "consumer", "stream", "place", "deliveries"]);
    for (service, answer) in answers {
        for advisory in &answer.advisories {
            table.row([
                service.to_string(),
                moment(advisory.at.as_ref()),
                advisory.kind.clone(),
                advisory.consumer.clone(),
                advisory.stream.clone(),
                advisory.stream_sequence.to_string(),
                advisory.deliveries.to_string(),
            ]);
        }
    }
    table
}

/// How many dead letters run again.
pub(in crate::client) fn redriven(answers: &[(Service, RedriveDeadLettersResponse)]) -> String {
    let mut page = Page::new();
    for (service, answer) in answers {
        page.field(service.as_str(), format!("{} dead letters run again", answer.dead_letters));
    }
    page.finish()
}

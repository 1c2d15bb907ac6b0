//! The alarm inside the house: whom to page at which level, and the clocks that page the next while nobody answers.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::DatabaseTransaction;
use tocsin_domain::id::ContactId;
use tocsin_domain::priority::{Priority, escalations};
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_proto::catalogue::{Lane, PAGE_REQUESTED};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::PageRequested;
use uuid::Uuid;

use crate::config::TriageConfig;
use crate::error::TriageError;
use crate::store::cases::OpenCase;
use crate::store::escalations as clocks;

/// Whom a level pages: 0 the first of the roster, each escalation the next, the last one all of them.
pub(crate) fn called(roster: &[ContactId], level: u32, last_level: u32) -> Vec<ContactId> {
    let next = usize::try_from(level).ok().and_then(|level| roster.get(level));
    match next {
        Some(_) if level > 0 && level >= last_level => roster.to_vec(),
        Some(next) => vec![next.clone()],
        None => roster.to_vec(),
    }
}

/// Rings for a case: pages the first and, where asked, starts clocks for the next ones. Clocks of an earlier alarm are
/// superseded.
pub(crate) async fn ring(
    transaction: &DatabaseTransaction,
    config: &TriageConfig,
    case: &OpenCase,
    with_clocks: bool,
    now: DateTime<Utc>,
) -> Result<OutgoingEvent, TriageError> {
    let priority = case.priority()?;
    let due = escalations(priority, now, &config.clocks);
    if with_clocks {
        let alarm = clocks::next_alarm(&clocks::of_case(transaction, case.id()).await?);
        clocks::close(transaction, case.id(), "superseded", now.timestamp_millis()).await?;
        clocks::start(transaction, case.id(), alarm, &due).await?;
    }
    let last_level = due.last().map_or(0, |escalation| escalation.level);
    let mut contacts = called(&config.duty_roster, 0, last_level);
    if let Some(coordinator) = case.row.coordinator.as_deref().and_then(|actor| actor.parse::<ContactId>().ok())
        && !contacts.contains(&coordinator)
    {
        contacts.push(coordinator);
    }
    Ok(page(case.id(), &contacts, 0, priority, answer_due(config, priority, now), now))
}

/// When a person must have answered an alarm that rang then.
pub(crate) fn answer_due(config: &TriageConfig, priority: Priority, rang_at: DateTime<Utc>) -> DateTime<Utc> {
    let minutes = TimeDelta::minutes(i64::from(config.clocks.of(priority).answer_minutes));
    rang_at.checked_add_signed(minutes).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The event that pages. It is a pointer only, and always urgent: a person is waiting.
pub(crate) fn page(
    case: Uuid,
    contacts: &[ContactId],
    level: u32,
    priority: Priority,
    answer_due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> OutgoingEvent {
    let page_id = Uuid::now_v7().to_string();
    let message = PageRequested {
        page_id: page_id.clone(),
        contact_ids: contacts.iter().map(ToString::to_string).collect(),
        level,
        priority: priority.to_string(),
        answer_due_at: Some(timestamp(answer_due_at)),
        case_id: case.to_string(),
    };
    OutgoingEvent::new(&PAGE_REQUESTED, Lane::Urgent, page_id, 1, &message, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_pages_the_next_and_the_last_pages_all() {
        check(&["a", "b", "c"], 0, &["a"]);
        check(&["a", "b", "c"], 1, &["b"]);
        check(&["a", "b", "c"], 2, &["a", "b", "c"]);
        check(&["a"], 0, &["a"]);
        check(&["a"], 1, &["a"]);
        check(&["a", "b"], 2, &["a", "b"]);
    }

    fn check(roster: &[&str], level: u32, expected: &[&str]) {
        let roster: Vec<ContactId> = roster.iter().map(|id| id.parse().unwrap()).collect();
        let called = called(&roster, level, 2);
        assert_eq!(called.iter().map(ContactId::as_str).collect::<Vec<_>>(), expected);
    }
}

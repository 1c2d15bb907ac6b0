//! Withdrawing a released alert: out of the readers' sight, into the feed, and the word to notification to stop.

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use tocsin_platform::clock::to_ms;
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_proto::catalogue::{Lane, NOTICES_WITHDRAWN};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::NoticesWithdrawn;
use uuid::Uuid;

use crate::dispatch::Dispatch;
use crate::entity::alert;
use crate::store;
use crate::store::alerts::WITHDRAWN;

/// Withdraws an alert that the caller read after it had locked the feed. `at` is since when it is withdrawn.
pub(crate) async fn withdraw(
    dispatch: &Dispatch,
    transaction: &DatabaseTransaction,
    alert: alert::Model,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let now = dispatch.clock.now();
    let feed = store::feed::next_position(transaction).await?;
    let outgoing = notices_withdrawn(alert.alert_id, alert.revision, reason, at, now);
    let alert = alert::Model {
        state: WITHDRAWN.to_owned(),
        withdrawn_reason: reason.to_owned(),
        withdrawn_at_ms: Some(to_ms(at)),
        feed_position: Some(feed.position),
        feed_change: WITHDRAWN.to_owned(),
        feed_at_ms: to_ms(now),
        ..alert
    };
    store::alerts::put(transaction, alert).await?;
    dispatch.outbox.record(transaction, &[outgoing]).await
}

/// The word to stop a whole alert. It is always urgent, because stopping must overtake sending.
fn notices_withdrawn(alert: Uuid, revision: i64, reason: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> OutgoingEvent {
    let message = NoticesWithdrawn {
        alert_id: alert.to_string(),
        revision: u32::try_from(revision.max(0)).unwrap_or(u32::MAX),
        organisation_id: String::new(),
        reason: reason.to_owned(),
        at: Some(timestamp(at)),
    };
    OutgoingEvent::new(&NOTICES_WITHDRAWN, Lane::Urgent, alert.to_string(), revision, &message, now)
}

//! `alert.withdrawn`: the alert was stopped or its consent withdrawn. One that comes before its alert leaves a tombstone,
//! so that the alert is never shown when it comes.

use sea_orm::DatabaseTransaction;
use tocsin_domain::id::AlertId;
use tocsin_platform::clock::to_ms;
use tocsin_platform::consume::{ConsumeError, IncomingEvent};
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::event::v1::AlertWithdrawn;

use crate::dispatch::Dispatch;
use crate::entity::alert;
use crate::error::fault;
use crate::store;
use crate::store::alerts::WITHDRAWN;
use crate::withdraw::withdraw;

pub(super) async fn consume(
    dispatch: &Dispatch,
    transaction: &DatabaseTransaction,
    event: &IncomingEvent,
) -> Result<(), ConsumeError> {
    let message: AlertWithdrawn = event.message()?;
    let id: AlertId = message.alert_id.parse().map_err(|_| fault("alert_id is not a UUID"))?;
    let at = from_timestamp(message.at.as_ref()).ok_or_else(|| fault("at is missing"))?;
    if !matches!(message.reason.as_str(), "stopped" | "consent_withdrawn") {
        return Err(fault("reason is neither stopped nor consent_withdrawn"));
    }
    let revision = i64::from(message.revision);
    // A release of the same alert at the same moment waits, or is waited for.
    store::feed::lock(transaction).await?;
    let known = store::alerts::find(transaction, id.as_uuid()).await?;
    let Some(known) = known else {
        return Ok(store::alerts::put(transaction, tombstone(id, revision, &message.reason, to_ms(at))).await?);
    };
    if revision < known.revision || (known.state == WITHDRAWN && revision == known.revision) {
        return Ok(());
    }
    let alert = alert::Model { revision, ..known };
    if alert.state == WITHDRAWN {
        return Ok(store::alerts::put(transaction, alert).await?);
    }
    Ok(withdraw(dispatch, transaction, alert, &message.reason, at).await?)
}

/// A withdrawal whose alert has not come yet.
fn tombstone(id: AlertId, revision: i64, reason: &str, at_ms: i64) -> alert::Model {
    alert::Model {
        alert_id: id.as_uuid(),
        revision,
        short_code: String::new(),
        reference_mac: None,
        priority: String::new(),
        tlp: String::new(),
        released_at_ms: at_ms,
        deadline_at_ms: at_ms,
        drill: false,
        consent_expires_at_ms: None,
        state: WITHDRAWN.to_owned(),
        withdrawn_reason: reason.to_owned(),
        withdrawn_at_ms: Some(at_ms),
        content: None,
        content_revision: -1,
        feed_position: None,
        feed_change: String::new(),
        feed_at_ms: at_ms,
    }
}

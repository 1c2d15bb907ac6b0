//! `notices.progressed`: how far a batch of notices has come. Older versions of a notice change nothing, so the order in
//! which the events arrive does not matter.

use std::collections::HashMap;

use sea_orm::DatabaseTransaction;
use tocsin_domain::id::{AlertId, NoticeId};
use tocsin_domain::notice::NoticeState;
use tocsin_platform::clock::to_ms;
use tocsin_platform::consume::{ConsumeError, IncomingEvent};
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::dispatch::v1::NoticeProgress;
use tocsin_proto::event::v1::NoticesProgressed;
use uuid::Uuid;

use crate::entity::notice_progress;
use crate::error::fault;
use crate::store;

pub(super) async fn consume(transaction: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
    let message: NoticesProgressed = event.message()?;
    let alert: AlertId = message.alert_id.parse().map_err(|_| fault("alert_id is not a UUID"))?;
    let mut newest: HashMap<Uuid, notice_progress::Model> = HashMap::with_capacity(message.notices.len());
    for notice in message.notices {
        let row = decode(alert, notice)?;
        match newest.get(&row.notice_id) {
            Some(known) if known.version >= row.version => {}
            _ => {
                newest.insert(row.notice_id, row);
            }
        }
    }
    store::progress::put(transaction, newest.into_values().collect()).await?;
    Ok(())
}

fn decode(alert: AlertId, notice: NoticeProgress) -> Result<notice_progress::Model, ConsumeError> {
    let id: NoticeId = notice.notice_id.parse().map_err(|_| fault("notices.notice_id is not a UUID"))?;
    let state: NoticeState = notice.state.parse().map_err(|_| fault("notices.state is no state of a notice"))?;
    let at = from_timestamp(notice.at.as_ref()).ok_or_else(|| fault("notices.at is missing"))?;
    Ok(notice_progress::Model {
        notice_id: id.as_uuid(),
        alert_id: alert.as_uuid(),
        contact_id: notice.contact_id,
        organisation_id: notice.organisation_id,
        channel: notice.channel,
        state: state.to_string(),
        language: notice.language,
        reason: notice.reason,
        at_ms: to_ms(at),
        handed_to: notice.handed_to,
        due_at_ms: from_timestamp(notice.due_at.as_ref()).map(to_ms),
        version: i64::from(notice.version),
    })
}

//! Receipts that do not come: after their time the notice says so, and stays open to a late one.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::notice::{NoticeState, advance};
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use uuid::Uuid;

use super::query;
use crate::entity::notice;
use crate::office::Office;
use crate::store::{Change, update_notices};

const HOUR_MS: i64 = 3_600_000;
/// Why such a notice has ended.
const NO_RECEIPT: &str = "no_receipt";

/// Ends them all; returns how many.
pub(super) async fn end(office: &Office) -> Result<usize, DbErr> {
    let mut ended = 0;
    loop {
        let reader = office.database.reader();
        let patience_ms = i64::from(office.config.auditor.receipt_hours_max) * HOUR_MS;
        let since_ms = to_ms(agreed_now(reader, &office.clock).await?) - patience_ms;
        let overdue = query::overdue(reader, since_ms).await?;
        let count = end_some(office, &overdue, since_ms).await?;
        ended += count;
        // Those that another process has ended meanwhile are not found again.
        if overdue.len() < query::ROWS_MAX || count == 0 {
            return Ok(ended);
        }
    }
}

async fn end_some(office: &Office, overdue: &[Uuid], since_ms: i64) -> Result<usize, DbErr> {
    use notice::Column;
    if overdue.is_empty() {
        return Ok(0);
    }
    let transaction = office.database.begin().await?;
    let now_ms = to_ms(agreed_now(&transaction, &office.clock).await?);
    // They are read again under their locks: a receipt may have come.
    let rows = notice::Entity::find()
        .filter(Column::NoticeId.is_in(overdue.iter().copied()))
        .filter(Column::NextAtMs.is_null())
        .filter(Column::State.is_in([NoticeState::HandedToGateway.as_str(), NoticeState::Accepted.as_str()]))
        .filter(Column::ChangedAtMs.lte(since_ms))
        .order_by_asc(Column::NoticeId)
        .lock_exclusive()
        .all(&transaction)
        .await?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let Ok(current) = row.state.parse::<NoticeState>() else { continue };
        let bulletin = office.bulletin(&transaction, row.bulletin_id, row.revision).await?;
        let is_reported = bulletin.is_some_and(|bulletin| bulletin.is_reported());
        changes.push(Change {
            notice_id: row.notice_id,
            state: advance(current, NoticeState::UnknownNoReceipt).as_str().to_owned(),
            reason: Some(NO_RECEIPT.to_owned()),
            attempts: row.attempts,
            next_at_ms: None,
            handed_to: row.handed_to,
            provider_id: row.provider_id,
            version: row.version + 1,
            owed_since_ms: is_reported.then_some(now_ms),
            changed_at_ms: now_ms,
        });
    }
    update_notices(&transaction, &changes).await?;
    tocsin_platform::database::commit(transaction, "notification.end_unreceipted").await?;
    Ok(changes.len())
}

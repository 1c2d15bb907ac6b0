//! Changes of notices go back to dispatch, collected: after a moment when there are few, every 200 ms when there are many.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_platform::clock::{from_ms, to_ms};
use tocsin_platform::lifecycle::{Reconciler, Shutdown};
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_proto::catalogue::{Lane, NOTICES_PROGRESSED};
use tocsin_proto::convert::timestamp;
use tocsin_proto::dispatch::v1::NoticeProgress;
use tocsin_proto::event::v1::NoticesProgressed;
use tokio::time::Instant;

use crate::bulletin::Bulletin;
use crate::entity::notice;
use crate::office::Office;
use crate::sizes::filled;

/// The most notices of one transaction.
const BATCH_MAX: u64 = 500;
/// The shortest time between two reports.
const REPORT_INTERVAL: Duration = Duration::from_millis(200);

/// Changes are left to gather this long, so that telling of the first sends does not delay the last.
const GATHERING: Duration = Duration::from_millis(50);

/// Tells dispatch of changes until the drain.
pub(crate) async fn run(office: Arc<Office>, reconciler: Reconciler, shutdown: Shutdown) -> Result<(), Infallible> {
    let last = Arc::new(Mutex::new(None));
    let work = move || {
        let (office, last) = (Arc::clone(&office), Arc::clone(&last));
        async move { look(&office, &last).await }
    };
    reconciler.run(shutdown, work).await
}

/// Reports, unless the last report was a moment ago. Returns after how long to look again.
async fn look(office: &Office, last: &Mutex<Option<Instant>>) -> Result<Option<Duration>, DbErr> {
    let reported_at = *last.lock().unwrap_or_else(PoisonError::into_inner);
    let early = reported_at.map(|at| REPORT_INTERVAL.saturating_sub(at.elapsed()));
    if let Some(wait) = early.filter(|wait| !wait.is_zero()) {
        return Ok(Some(wait));
    }
    tokio::time::sleep(GATHERING).await;
    if report(office).await? == 0 {
        return Ok(None);
    }
    *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    Ok(Some(REPORT_INTERVAL))
}

/// Reports one batch and returns how many notices it held.
pub(crate) async fn report(office: &Office) -> Result<usize, DbErr> {
    use notice::Column;
    let transaction = office.database.begin().await?;
    let rows = notice::Entity::find()
        .filter(Column::OwedSinceMs.is_not_null())
        .order_by_asc(Column::OwedSinceMs)
        .limit(BATCH_MAX)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(&transaction)
        .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let now = office.clock.now();
    let mut by_batch: BTreeMap<(&str, uuid::Uuid, i32, i16), Vec<NoticeProgress>> = BTreeMap::new();
    for row in &rows {
        let key = (row.batch_id.as_str(), row.bulletin_id, row.revision, row.lane);
        by_batch.entry(key).or_default().push(progress(row));
    }
    let events: Vec<OutgoingEvent> = by_batch
        .into_iter()
        .map(|((batch_id, alert_id, revision, lane), notices)| {
            let message = NoticesProgressed {
                batch_id: batch_id.to_owned(),
                alert_id: alert_id.to_string(),
                revision: u32::try_from(revision).unwrap_or(0),
                notices,
            };
            OutgoingEvent::new(&NOTICES_PROGRESSED, bus_lane(lane), batch_id, to_ms(now), &message, now)
        })
        .collect();
    notice::Entity::update_many()
        .col_expr(Column::OwedSinceMs, Expr::value(Option::<i64>::None))
        .filter(Column::NoticeId.is_in(filled(rows.iter().map(|row| row.notice_id).collect())))
        .exec(&transaction)
        .await?;
    office.outbox.record(&transaction, &events).await?;
    tocsin_platform::database::commit(transaction, "notification.report_progress").await?;
    office.outbox.wake();
    Ok(rows.len())
}

/// The first report of a batch: all its notices together, so that a contact which is known to be planned is known whole.
pub(crate) fn first_report(
    lane: Lane,
    batch_id: &str,
    bulletin: &Bulletin,
    notices: &[notice::Model],
    now: DateTime<Utc>,
) -> OutgoingEvent {
    let message = NoticesProgressed {
        batch_id: batch_id.to_owned(),
        alert_id: bulletin.row.bulletin_id.to_string(),
        revision: u32::try_from(bulletin.row.revision).unwrap_or(0),
        notices: notices.iter().map(progress).collect(),
    };
    OutgoingEvent::new(&NOTICES_PROGRESSED, lane, batch_id, to_ms(now), &message, now)
}

/// A notice as dispatch sees it.
pub(crate) fn progress(row: &notice::Model) -> NoticeProgress {
    NoticeProgress {
        notice_id: row.notice_id.to_string(),
        contact_id: row.contact_id.clone(),
        organisation_id: row.organisation_id.clone(),
        channel: row.channel.clone(),
        state: row.state.clone(),
        language: row.language.clone(),
        reason: row.reason.clone().unwrap_or_default(),
        at: Some(timestamp(from_ms(row.changed_at_ms))),
        handed_to: row.handed_to.clone().unwrap_or_default(),
        due_at: due_ms(row).map(|at| timestamp(from_ms(at))),
        version: u32::try_from(row.version).unwrap_or(0),
    }
}

/// When the notice is due. While somebody holds it, `next_at_ms` is the end of the lease: it is due now.
fn due_ms(row: &notice::Model) -> Option<i64> {
    row.lease_owner.map_or(row.next_at_ms, |_| Some(row.changed_at_ms))
}

/// The bus's lane for a lane's number.
pub(crate) const fn bus_lane(number: i16) -> Lane {
    match number {
        0 => Lane::Urgent,
        1 => Lane::Normal,
        _ => Lane::Bulk,
    }
}

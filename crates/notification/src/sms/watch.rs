//! Looks after messages of which no receipt has come, gives the answers that are due, and forgets what is old.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use tocsin_platform::lifecycle::{Reconciler, Shutdown};
use uuid::Uuid;

use super::{MessageId, answers, spend};
use crate::entity::sms::{early_receipt, watch};
use crate::office::Office;
use crate::receipts::{self, About, Receipt, Reviewed};

/// Notices in one transaction.
const BATCH_MAX: u64 = 200;
/// How long a receipt for an unknown message is kept, in milliseconds: gateways tell of a message for days.
const EARLY_KEPT_MS: i64 = 7 * 86_400_000;
/// A receipt that came a moment before its submit was stored is looked for this long, in milliseconds.
const EARLY_LOOKED_FOR_MS: i64 = 600_000;

/// Works until the drain.
pub(crate) async fn run(office: Arc<Office>, reconciler: Reconciler, shutdown: Shutdown) -> Result<(), Infallible> {
    let work = move || {
        let office = Arc::clone(&office);
        async move { look(&office).await }
    };
    reconciler.run(shutdown, work).await
}

/// One round; returns after how long something falls due.
async fn look(office: &Arc<Office>) -> Result<Option<Duration>, DbErr> {
    match_early(office).await?;
    let answered = answers::give(office).await?;
    let looked = overdue(office).await?;
    forget(office).await?;
    if answered > 0 || looked > 0 {
        office.progress.wake();
        office.engine.wake();
        return Ok(Some(Duration::ZERO));
    }
    let next: Option<i64> = watch::Entity::find()
        .select_only()
        .column(watch::Column::LookAtMs)
        .order_by_asc(watch::Column::LookAtMs)
        .limit(1)
        .into_tuple()
        .one(office.database.reader())
        .await?;
    let now_ms = to_ms(agreed_now(office.database.reader(), &office.clock).await?);
    Ok(next.map(|at| Duration::from_millis(u64::try_from(at - now_ms).unwrap_or(0).max(100))))
}

/// Finds what follows for notices whose time has come.
async fn overdue(office: &Office) -> Result<usize, DbErr> {
    let now_ms = to_ms(agreed_now(office.database.reader(), &office.clock).await?);
    let due: Vec<Uuid> = watch::Entity::find()
        .select_only()
        .column(watch::Column::NoticeId)
        .filter(watch::Column::LookAtMs.lte(now_ms))
        .order_by_asc(watch::Column::LookAtMs)
        .limit(BATCH_MAX)
        .into_tuple()
        .all(office.database.reader())
        .await?;
    if due.is_empty() {
        return Ok(0);
    }
    let transaction = office.database.begin().await?;
    let reviewed = Reviewed::of(office, &transaction, &due, now_ms).await?;
    reviewed.settle(office, &transaction, &HashMap::new(), now_ms).await?;
    tocsin_platform::database::commit(transaction, "notification.watch_receipts").await?;
    Ok(due.len())
}

/// A receipt and the submit that it is about may be stored at the same moment and miss each other.
async fn match_early(office: &Arc<Office>) -> Result<(), DbErr> {
    let since = to_ms(agreed_now(office.database.reader(), &office.clock).await?) - EARLY_LOOKED_FOR_MS;
    let rows = early_receipt::Entity::find()
        .filter(early_receipt::Column::ReceivedAtMs.gte(since))
        .order_by_asc(early_receipt::Column::ReceivedAtMs)
        .limit(BATCH_MAX)
        .all(office.database.reader())
        .await?;
    for row in rows {
        let (Some(id), Ok(state)) = (MessageId::parse(&row.message_id), row.state.parse()) else { continue };
        let Some(notice_id) = super::by_message(office.database.reader(), &row.gateway, &id).await? else { continue };
        let receipt = Receipt { gateway: row.gateway.clone(), about: About::Notice(notice_id), state };
        let recorded = receipts::record(Arc::clone(office), vec![receipt]).await;
        if recorded.iter().all(Result::is_ok) {
            let transaction = office.database.begin().await?;
            early_receipt::Entity::delete_by_id((row.gateway, row.message_id)).exec(&transaction).await?;
            tocsin_platform::database::commit(transaction, "notification.forget_receipts").await?;
        }
    }
    Ok(())
}

async fn forget(office: &Office) -> Result<(), DbErr> {
    let now_ms = to_ms(agreed_now(office.database.reader(), &office.clock).await?);
    let old = early_receipt::Entity::find()
        .filter(early_receipt::Column::ReceivedAtMs.lt(now_ms - EARLY_KEPT_MS))
        .limit(1)
        .one(office.database.reader())
        .await?;
    if old.is_none() && !spend::has_old(office.database.reader(), now_ms).await? {
        return Ok(());
    }
    let transaction = office.database.begin().await?;
    early_receipt::Entity::delete_many()
        .filter(early_receipt::Column::ReceivedAtMs.lt(now_ms - EARLY_KEPT_MS))
        .exec(&transaction)
        .await?;
    spend::forget_old(&transaction, now_ms).await?;
    tocsin_platform::database::commit(transaction, "notification.forget_receipts").await
}

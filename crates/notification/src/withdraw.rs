//! Withdrawal by a person's word: what is still queued ends. A whole alert, or an organisation's part of it, gets a
//! tombstone too, as a withdrawal by event does, so that what is requested later ends as well.

use std::collections::BTreeSet;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use tocsin_domain::notice::NoticeState;
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use uuid::Uuid;

use crate::changes::{self, By};
use crate::engine::Withdrawn;
use crate::entity::people::change;
use crate::entity::{bulletin, notice};
use crate::office::Office;
use crate::selection::Selection;
use crate::store::{Change, record_tombstone, serialise_bulletin, update_notices};

/// Notices in one transaction.
const BATCH_MAX: u64 = 1_000;

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) withdrawn: u64,
    /// A process holds these: an attempt is being made, or is about to begin.
    pub(crate) in_hand: u64,
}

/// Counts what a withdrawal would do.
pub(crate) async fn count(office: &Office, selection: &Selection) -> Result<Ended, DbErr> {
    let (mut ended, mut after) = (Ended::default(), Uuid::nil());
    loop {
        let rows = page(office.database.reader(), selection, after, false).await?;
        let Some(last) = rows.last() else { return Ok(ended) };
        after = last.notice_id;
        ended.add(&rows);
    }
}

/// Ends what is queued.
pub(crate) async fn withdraw(office: &Office, selection: &Selection, by: &By<'_>) -> Result<Ended, DbErr> {
    let mut record = changes::blank(office, by, "notices.withdraw", &selection.words());
    if let Some(alert) = selection.alert.filter(|_| selection.is_of_alert_only()) {
        stop_alert(office, alert, selection, by, &mut record).await?;
    }
    let (mut ended, mut after) = (Ended::default(), Uuid::nil());
    loop {
        let transaction = office.database.begin().await?;
        let rows = page(&transaction, selection, after, true).await?;
        let Some(last) = rows.last() else { break };
        after = last.notice_id;
        ended.add(&rows);
        end(office, &transaction, &rows, by, &mut record).await?;
        tocsin_platform::database::commit(transaction, "notification.withdraw_by_hand").await?;
    }
    tracing::info!(
        actor_id = by.actor,
        reason = by.reason,
        count = ended.withdrawn + ended.in_hand,
        "queued notices were withdrawn by hand"
    );
    office.progress.wake();
    Ok(ended)
}

impl Ended {
    fn add(&mut self, rows: &[notice::Model]) {
        let held = rows.iter().filter(|row| row.lease_owner.is_some()).count();
        self.in_hand += u64::try_from(held).unwrap_or(0);
        self.withdrawn += u64::try_from(rows.len() - held).unwrap_or(0);
    }
}

/// Writes the tombstone and tells every process's engine, which looks for tombstones each second.
async fn stop_alert(
    office: &Office,
    alert: Uuid,
    selection: &Selection,
    by: &By<'_>,
    record: &mut change::Model,
) -> Result<(), DbErr> {
    let transaction = office.database.begin().await?;
    serialise_bulletin(&transaction, alert).await?;
    let revision: Option<Option<i32>> = bulletin::Entity::find()
        .select_only()
        .column_as(bulletin::Column::Revision.max(), "newest")
        .filter(bulletin::Column::BulletinId.eq(alert))
        .into_tuple()
        .one(&transaction)
        .await?;
    let Some(revision) = revision.flatten() else { return Ok(()) };
    let withdrawn = Withdrawn {
        bulletin_id: alert,
        revision,
        organisation_id: selection.organisation_id.clone(),
        reason: by.reason.to_owned(),
    };
    let now_ms = to_ms(agreed_now(&transaction, &office.clock).await?);
    record_tombstone(&transaction, &withdrawn, now_ms).await?;
    changes::add(&transaction, record, &[]).await?;
    tocsin_platform::database::commit(transaction, "notification.withdraw_by_hand").await?;
    office.engine.withdraw(withdrawn);
    Ok(())
}

async fn page<C: ConnectionTrait>(
    connection: &C,
    selection: &Selection,
    after: Uuid,
    lock: bool,
) -> Result<Vec<notice::Model>, DbErr> {
    let queued = Condition::all()
        .add(notice::Column::State.eq(NoticeState::Queued.as_str()))
        .add(notice::Column::WithdrawnReason.is_null())
        .add(notice::Column::NoticeId.gt(after));
    let select = notice::Entity::find()
        .filter(selection.condition())
        .filter(queued)
        .order_by_asc(notice::Column::NoticeId)
        .limit(BATCH_MAX);
    if lock { select.lock_exclusive().all(connection).await } else { select.all(connection).await }
}

/// Ends what nobody holds, and marks the rest so that no further attempt follows.
async fn end(
    office: &Office,
    transaction: &DatabaseTransaction,
    rows: &[notice::Model],
    by: &By<'_>,
    record: &mut change::Model,
) -> Result<(), DbErr> {
    let now_ms = to_ms(agreed_now(transaction, &office.clock).await?);
    let reported = reported(office, transaction, rows).await?;
    notice::Entity::update_many()
        .col_expr(notice::Column::WithdrawnReason, Expr::value(by.reason))
        .filter(notice::Column::NoticeId.is_in(rows.iter().map(|row| row.notice_id)))
        .exec(transaction)
        .await?;
    let changes: Vec<Change> = rows
        .iter()
        .filter(|row| row.lease_owner.is_none())
        .map(|row| Change {
            notice_id: row.notice_id,
            state: NoticeState::Withdrawn.as_str().to_owned(),
            reason: Some(by.reason.to_owned()),
            attempts: row.attempts,
            next_at_ms: None,
            handed_to: row.handed_to.clone(),
            provider_id: row.provider_id.clone(),
            version: row.version + 1,
            owed_since_ms: if reported.contains(&row.bulletin_id) { Some(now_ms) } else { row.owed_since_ms },
            changed_at_ms: now_ms,
        })
        .collect();
    update_notices(transaction, &changes).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.notice_id).collect();
    changes::add(transaction, record, &ids).await
}

/// The bulletins of whose notices dispatch is told.
async fn reported(
    office: &Office,
    transaction: &DatabaseTransaction,
    rows: &[notice::Model],
) -> Result<BTreeSet<Uuid>, DbErr> {
    let keys: BTreeSet<(Uuid, i32)> = rows.iter().map(|row| (row.bulletin_id, row.revision)).collect();
    let mut reported = BTreeSet::new();
    for (id, revision) in keys {
        let bulletin = office.bulletin(transaction, id, revision).await?;
        if bulletin.is_some_and(|bulletin| bulletin.is_reported()) {
            reported.insert(id);
        }
    }
    Ok(reported)
}

//! Claiming: due notices become this process's for the length of a lease, in batches, urgent first.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::sea_query::{Expr, LockBehavior, LockType, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Ready, Withdrawn};
use crate::entity::{notice, withdrawal};
use crate::office::Office;

/// The most notices of one claim.
const CLAIM_MAX: u64 = 256;
/// How far back other processes' withdrawals are looked for, in milliseconds; more than a claim and its lease take.
const WITHDRAWALS_BACK_MS: i64 = 60_000;
/// Bindings for destinations left out of one claim.
const SATURATED_MAX: usize = 1_000;

/// What a claim brought.
pub(super) struct Claimed {
    pub(super) ready: Vec<Ready>,
    /// Withdrawals of late, other processes' among them.
    pub(super) withdrawn: Vec<Withdrawn>,
    /// After how long something falls due next; zero when there may be more now.
    pub(super) next: Option<Duration>,
}

/// Claims up to a batch of what is due, leaving out destinations that have enough waiting here.
pub(super) async fn claim(office: Arc<Office>, mut saturated: Vec<i64>) -> Result<Claimed, DbErr> {
    saturated.truncate(SATURATED_MAX);
    // Taken before the rows are, so that our view of the lease never outlasts theirs.
    let lease = Duration::from_secs(office.config.lease_seconds.into());
    let lease_ends = Instant::now() + lease;
    let now_ms = office.clock.now_ms();
    let lease_ends_ms = now_ms + i64::from(office.config.lease_seconds) * 1000;
    if next_due(&office, &saturated).await?.is_none_or(|due| due > now_ms) {
        return finish(&office, Vec::new(), lease_ends, now_ms, &saturated).await;
    }
    let transaction = office.database.begin().await?;
    let mut rows = Vec::new();
    for lane in 0_i16..3 {
        let room = CLAIM_MAX.saturating_sub(u64::try_from(rows.len()).unwrap_or(CLAIM_MAX));
        if room > 0 {
            rows.extend(take(&office, &transaction, lane, room, now_ms, lease_ends_ms, &saturated).await?);
        }
    }
    transaction.commit().await?;
    finish(&office, rows, lease_ends, now_ms, &saturated).await
}

async fn take<C: ConnectionTrait>(
    office: &Office,
    connection: &C,
    lane: i16,
    limit: u64,
    now_ms: i64,
    lease_ends_ms: i64,
    saturated: &[i64],
) -> Result<Vec<notice::Model>, DbErr> {
    use notice::Column;
    let mut due = Query::select();
    due.column(Column::NoticeId)
        .from(notice::Entity)
        .and_where(Column::Lane.eq(lane))
        .and_where(Column::NextAtMs.lte(now_ms))
        .order_by(Column::NextAtMs, sea_orm::Order::Asc)
        .limit(limit)
        // SQLite has one process and no such locks; there the clause is left out.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    if !saturated.is_empty() {
        due.and_where(Column::Destination.is_not_in(saturated.iter().copied()));
    }
    notice::Entity::update_many()
        .col_expr(Column::NextAtMs, Expr::value(lease_ends_ms))
        .col_expr(Column::LeaseOwner, Expr::value(office.engine.owner))
        .filter(Column::NoticeId.in_subquery(due))
        .exec_with_returning(connection)
        .await
}

/// When the next notice of a destination with room falls due.
async fn next_due(office: &Office, saturated: &[i64]) -> Result<Option<i64>, DbErr> {
    use notice::Column;
    let mut earliest = None;
    for lane in 0_i16..3 {
        let mut select = notice::Entity::find()
            .select_only()
            .column(Column::NextAtMs)
            .filter(Column::Lane.eq(lane))
            .filter(Column::NextAtMs.is_not_null())
            .order_by_asc(Column::NextAtMs)
            .limit(1);
        if !saturated.is_empty() {
            select = select.filter(Column::Destination.is_not_in(saturated.iter().copied()));
        }
        let found: Option<Option<i64>> = select.into_tuple().one(office.database.reader()).await?;
        earliest = [earliest, found.flatten()].into_iter().flatten().min();
    }
    Ok(earliest)
}

async fn finish(
    office: &Office,
    rows: Vec<notice::Model>,
    lease_ends: Instant,
    now_ms: i64,
    saturated: &[i64],
) -> Result<Claimed, DbErr> {
    let withdrawn = recent_withdrawals(office, now_ms).await?;
    let next = if rows.is_empty() {
        let due = next_due(office, saturated).await?;
        due.map(|due| Duration::from_millis(u64::try_from(due - now_ms).unwrap_or(0)))
    } else {
        Some(Duration::ZERO)
    };
    Ok(Claimed { ready: complete(office, rows, lease_ends).await?, withdrawn, next })
}

/// Adds to each row what sending it needs.
pub(super) async fn complete(
    office: &Office,
    rows: Vec<notice::Model>,
    lease_ends: Instant,
) -> Result<Vec<Ready>, DbErr> {
    let ids: BTreeSet<String> = rows.iter().map(|row| row.contact_id.clone()).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let reader = office.database.reader();
    let contacts = office.directory.load(reader, &ids).await?;
    let mut ready = Vec::with_capacity(rows.len());
    for notice in rows {
        let Some(bulletin) = office.bulletin(reader, notice.bulletin_id, notice.revision).await? else { continue };
        let recipient = contacts.get(&notice.contact_id).cloned();
        ready.push(Ready { notice, recipient, bulletin, lease_ends });
    }
    Ok(ready)
}

async fn recent_withdrawals(office: &Office, now_ms: i64) -> Result<Vec<Withdrawn>, DbErr> {
    let rows = withdrawal::Entity::find()
        .filter(withdrawal::Column::RecordedAtMs.gte(now_ms - WITHDRAWALS_BACK_MS))
        .all(office.database.reader())
        .await?;
    Ok(rows.into_iter().map(Withdrawn::from).collect())
}

impl From<withdrawal::Model> for Withdrawn {
    fn from(row: withdrawal::Model) -> Self {
        Self {
            bulletin_id: row.bulletin_id,
            revision: row.revision,
            organisation_id: row.organisation_id,
            reason: row.reason,
        }
    }
}

/// Gives up this process's leases, so that others or the next start need not wait for their end. With `all`, every
/// process's: right at the start of the only process there is.
pub(super) async fn release_leases(office: &Office, all: bool) -> Result<(), DbErr> {
    use notice::Column;
    let transaction = office.database.begin().await?;
    let mut release = notice::Entity::update_many()
        .col_expr(Column::LeaseOwner, Expr::value(Option::<uuid::Uuid>::None))
        .col_expr(Column::NextAtMs, Expr::value(office.clock.now_ms()))
        .filter(Column::NextAtMs.is_not_null());
    release = if all {
        release.filter(Column::LeaseOwner.is_not_null())
    } else {
        release.filter(Column::LeaseOwner.eq(office.engine.owner))
    };
    release.exec(&transaction).await?;
    transaction.commit().await
}

/// How many notices should have started by now and have not: for the operator.
pub(crate) async fn past_due(office: &Office) -> Result<u64, DbErr> {
    use sea_orm::PaginatorTrait;
    let now_ms = office.clock.now_ms();
    notice::Entity::find().filter(notice::Column::NextAtMs.lt(now_ms)).count(office.database.reader()).await
}

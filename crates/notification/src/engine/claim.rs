//! Claiming: due notices become this process's for the length of a lease, in batches, urgent first.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::sea_query::{Expr, LockBehavior, LockType, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use tracing::warn;

use super::lease::{AgreedTime, Lease};
use super::{Ready, unreadable};
use crate::entity::notice;
use crate::office::Office;
use crate::sizes::filled;

/// The most notices of one claim.
pub(super) const CLAIM_MAX: usize = 256;
/// The pause after a claim that found everything locked.
const SKIPPED_PAUSE: Duration = Duration::from_millis(50);
/// Bindings for destinations left out of one lane's claim.
const SATURATED_MAX: usize = 1_024;

/// Every lane by its number, urgent first: a range of due times is found by the index only within a lane.
pub(super) const ALL_LANES: [i16; super::slots::LANES] = [0, 1, 2];

/// What a claim brought.
pub(super) struct Claimed {
    pub(super) ready: Vec<Ready>,
    /// After how long something falls due next; zero when there may be more now.
    pub(super) next: Option<Duration>,
    /// The time on which the processes agree.
    pub(super) time: AgreedTime,
    /// How long the transaction was open.
    pub(super) took: Duration,
}

/// Claims up to so many of what is due. Each lane, the urgent one first, brings the destinations that have enough of it
/// waiting here and are left out; lanes that bring nothing are not claimed.
pub(super) async fn claim(office: Arc<Office>, mut lanes: Vec<Vec<i64>>, most: usize) -> Result<Claimed, DbErr> {
    for saturated in &mut lanes {
        saturated.truncate(SATURATED_MAX);
        *saturated = filled(std::mem::take(saturated));
    }
    let lease = Lease::begin(&office, office.database.reader()).await?;
    let (now_ms, time) = (to_ms(lease.now), lease.time());
    let next = next_due(&office, &lanes).await?;
    if next.is_none_or(|due| due > now_ms) {
        let next = next.map(|due| Duration::from_millis(u64::try_from(due - now_ms).unwrap_or(0)));
        return Ok(Claimed { ready: Vec::new(), next, time, took: Duration::ZERO });
    }
    let transaction = office.database.begin().await?;
    let began = Instant::now();
    let mut rows = Vec::new();
    for (lane, saturated) in (0_i16..).zip(&lanes) {
        let room = most.saturating_sub(rows.len());
        if room > 0 {
            let room = u64::try_from(room).unwrap_or(u64::MAX);
            rows.extend(take(&office, &transaction, lane, room, &lease, saturated).await?);
        }
    }
    tocsin_platform::database::commit(transaction, "notification.claim").await?;
    let took = began.elapsed();
    // Nothing, although something is due: another process is claiming it.
    let next = if rows.is_empty() { SKIPPED_PAUSE } else { Duration::ZERO };
    Ok(Claimed { ready: complete(&office, rows, lease.ends()).await?, next: Some(next), time, took })
}

async fn take<C: ConnectionTrait>(
    office: &Office,
    connection: &C,
    lane: i16,
    limit: u64,
    lease: &Lease,
    saturated: &[i64],
) -> Result<Vec<notice::Model>, DbErr> {
    use notice::Column;
    let mut due = Query::select();
    due.column(Column::NoticeId)
        .from(notice::Entity)
        .and_where(Column::Lane.eq(lane))
        .and_where(Column::NextAtMs.lte(to_ms(lease.now)))
        .order_by(Column::NextAtMs, sea_orm::Order::Asc)
        .limit(limit)
        // SQLite has one process and no such locks; there the clause is left out.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    if !saturated.is_empty() {
        due.and_where(Column::Destination.is_not_in(saturated.iter().copied()));
    }
    notice::Entity::update_many()
        .col_expr(Column::NextAtMs, Expr::value(lease.ends_ms()))
        .col_expr(Column::LeaseOwner, Expr::value(office.engine.owner))
        .filter(Column::NoticeId.in_subquery(due))
        .exec_with_returning(connection)
        .await
}

/// When the next notice of a destination with room falls due.
async fn next_due(office: &Office, lanes: &[Vec<i64>]) -> Result<Option<i64>, DbErr> {
    use notice::Column;
    let mut earliest = None;
    for (lane, saturated) in (0_i16..).zip(lanes) {
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

/// Adds to each row what sending it needs. Those of which nobody can say what they are about end here.
async fn complete(office: &Office, rows: Vec<notice::Model>, lease_ends: Instant) -> Result<Vec<Ready>, DbErr> {
    let ids: BTreeSet<String> = rows.iter().map(|row| row.contact_id.clone()).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let reader = office.database.reader();
    let contacts = office.directory.load(reader, &ids).await?;
    let mut ready = Vec::with_capacity(rows.len());
    let mut without_bulletin = Vec::new();
    // Each is tried once for all its notices.
    let mut bulletins = HashMap::new();
    for notice in rows {
        let key = (notice.bulletin_id, notice.revision);
        let bulletin = match bulletins.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(office.bulletin(reader, key.0, key.1).await?),
        };
        let Some(bulletin) = bulletin.clone() else {
            without_bulletin.push(notice.notice_id);
            continue;
        };
        let recipient = contacts.get(&notice.contact_id).cloned();
        ready.push(Ready { notice, recipient, bulletin, lease_ends });
    }
    if let Err(error) = unreadable::end(office, &without_bulletin).await {
        // The others must not wait for them.
        let count = without_bulletin.len();
        warn!(reason = %error, count, "notices whose bulletin cannot be read end at their next claim");
    }
    Ok(ready)
}

/// Gives up this process's leases, so that others or the next start need not wait for their end. With `all`, the
/// others' instead: right at the start of the only process there is.
pub(crate) async fn release_leases(office: &Office, all: bool) -> Result<(), DbErr> {
    use notice::Column;
    let transaction = office.database.begin().await?;
    let now = agreed_now(&transaction, &office.clock).await?;
    let mut release = notice::Entity::update_many()
        .col_expr(Column::LeaseOwner, Expr::value(Option::<uuid::Uuid>::None))
        .col_expr(Column::NextAtMs, Expr::value(to_ms(now)))
        .filter(Column::NextAtMs.is_not_null());
    release = if all {
        // What was just written under our own is already on its way to memory.
        release.filter(Column::LeaseOwner.ne(office.engine.owner))
    } else {
        release.filter(Column::LeaseOwner.eq(office.engine.owner))
    };
    release.exec(&transaction).await?;
    tocsin_platform::database::commit(transaction, "notification.release_leases").await
}

/// Notices that should have started by now and have not, by their due times: for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PastDue {
    pub(crate) count: i64,
    /// For how long the oldest of them has been due; 0 when there is none.
    pub(crate) oldest_seconds: i64,
}

/// Counts them.
pub(crate) async fn past_due(office: &Office) -> Result<PastDue, DbErr> {
    use notice::Column;
    let reader = office.database.reader();
    let now_ms = to_ms(agreed_now(reader, &office.clock).await?);
    let counted: Option<(i64, Option<i64>)> = notice::Entity::find()
        .select_only()
        .column_as(Column::NoticeId.count(), "late")
        .column_as(Column::NextAtMs.min(), "oldest")
        .filter(Column::Lane.is_in(ALL_LANES))
        .filter(Column::NextAtMs.lt(now_ms))
        .into_tuple()
        .one(reader)
        .await?;
    let (count, oldest_ms) = counted.unwrap_or_default();
    Ok(PastDue { count, oldest_seconds: oldest_ms.map_or(0, |oldest| (now_ms - oldest) / 1_000) })
}

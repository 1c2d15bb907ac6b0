//! Set-based changes of notices, the same for SQLite and PostgreSQL.

use std::collections::HashSet;

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr,
    EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Statement, Value,
};
use tocsin_domain::notice::NoticeState;
use tocsin_platform::database::take_turn;
use uuid::Uuid;

use crate::bulletin::Bulletin;
use crate::engine::Withdrawn;
use crate::entity::{notice, withdrawal};
use crate::sizes::{filled, in_sizes};

/// Ids in one query.
const IDS_A_QUERY: usize = 1_024;
/// Values of one row below.
const CHANGE_COLUMNS: usize = 10;

/// What becomes of one notice. Its lease ends with it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) notice_id: Uuid,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) attempts: i32,
    pub(crate) next_at_ms: Option<i64>,
    pub(crate) handed_to: Option<String>,
    pub(crate) provider_id: Option<String>,
    pub(crate) version: i32,
    pub(crate) owed_since_ms: Option<i64>,
    pub(crate) changed_at_ms: i64,
}

impl Change {
    fn values(&self) -> [Value; CHANGE_COLUMNS] {
        [
            self.notice_id.into(),
            self.state.clone().into(),
            self.reason.clone().into(),
            self.attempts.into(),
            self.next_at_ms.into(),
            self.handed_to.clone().into(),
            self.provider_id.clone().into(),
            self.version.into(),
            self.owed_since_ms.into(),
            self.changed_at_ms.into(),
        ]
    }
}

/// Writes all changes in statements of a few sizes.
pub(crate) async fn update_notices<C: ConnectionTrait>(connection: &C, changes: &[Change]) -> Result<(), DbErr> {
    for some in in_sizes(changes) {
        let backend = connection.get_database_backend();
        let values: Vec<Value> = some.iter().flat_map(Change::values).collect();
        let statement = Statement::from_sql_and_values(backend, update_of(some.len(), backend), values);
        connection.execute_raw(statement).await?;
    }
    Ok(())
}

/// The statement for so many changes.
fn update_of(rows: usize, backend: DatabaseBackend) -> String {
    let mut sql = String::from(
        "WITH change (notice_id, state, reason, attempts, next_at_ms, handed_to, provider_id, version, \
         owed_since_ms, changed_at_ms) AS (VALUES ",
    );
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..CHANGE_COLUMNS {
            sql.push_str(if column == 0 { "" } else { ", " });
            match backend {
                DatabaseBackend::Postgres => {
                    sql.push('$');
                    sql.push_str(&(row * CHANGE_COLUMNS + column + 1).to_string());
                }
                // Numbered places have names in SQLite, and it looks through all of them for each.
                _ => sql.push('?'),
            }
        }
        sql.push(')');
    }
    sql.push_str(
        ") UPDATE notices SET state = change.state, reason = change.reason, attempts = change.attempts, \
         next_at_ms = change.next_at_ms, lease_owner = NULL, handed_to = change.handed_to, \
         provider_id = change.provider_id, version = change.version, owed_since_ms = change.owed_since_ms, \
         changed_at_ms = change.changed_at_ms FROM change WHERE notices.notice_id = change.notice_id",
    );
    sql
}

/// Waits until no other process's transaction deals with this bulletin, and keeps others waiting until this one ends.
/// Requests and withdrawals that passed each by would not see each other's rows.
pub(crate) async fn serialise_bulletin(transaction: &DatabaseTransaction, bulletin_id: Uuid) -> Result<(), DbErr> {
    take_turn(transaction, &bulletin_id.to_string()).await
}

/// Ends what is queued and covered; what is in flight is marked, so that it is not repeated.
pub(crate) async fn withdraw_notices<C: ConnectionTrait>(
    connection: &C,
    withdrawn: &Withdrawn,
    now_ms: i64,
) -> Result<(), DbErr> {
    use notice::Column;
    let mut covered = Condition::all()
        .add(Column::BulletinId.eq(withdrawn.bulletin_id))
        .add(Column::Revision.lte(withdrawn.revision))
        .add(Column::State.eq(NoticeState::Queued.as_str()));
    if !withdrawn.organisation_id.is_empty() {
        covered = covered.add(Column::OrganisationId.eq(withdrawn.organisation_id.as_str()));
    }
    // Locked in the order in which results and receipts lock them, so that nobody waits in a circle. More rows may have
    // come under the condition by then only through `serialise_bulletin`, which the caller holds.
    notice::Entity::find()
        .select_only()
        .column(Column::NoticeId)
        .filter(covered.clone())
        .order_by_asc(Column::NoticeId)
        .lock_exclusive()
        .into_tuple::<Uuid>()
        .all(connection)
        .await?;
    // All are marked: a claim between the two statements would slip past both.
    notice::Entity::update_many()
        .col_expr(Column::WithdrawnReason, Expr::value(withdrawn.reason.as_str()))
        .filter(covered.clone())
        .exec(connection)
        .await?;
    notice::Entity::update_many()
        .col_expr(Column::State, Expr::value(NoticeState::Withdrawn.as_str()))
        .col_expr(Column::Reason, Expr::value(withdrawn.reason.as_str()))
        .col_expr(Column::NextAtMs, Expr::value(Option::<i64>::None))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::OwedSinceMs, Expr::value(now_ms))
        .col_expr(Column::ChangedAtMs, Expr::value(now_ms))
        .filter(covered)
        .filter(Column::LeaseOwner.is_null())
        .exec(connection)
        .await
        .map(|_| ())
}

/// Writes a withdrawal down, unless a later one stands, for notices that are requested after it.
pub(crate) async fn record_tombstone<C: ConnectionTrait>(
    connection: &C,
    withdrawn: &Withdrawn,
    now_ms: i64,
) -> Result<(), DbErr> {
    use withdrawal::Column;
    let known = withdrawal::Entity::find_by_id((withdrawn.bulletin_id, withdrawn.organisation_id.clone()))
        .one(connection)
        .await?;
    if known.is_some_and(|row| row.revision > withdrawn.revision) {
        return Ok(());
    }
    let row = withdrawal::ActiveModel {
        bulletin_id: Set(withdrawn.bulletin_id),
        organisation_id: Set(withdrawn.organisation_id.clone()),
        revision: Set(withdrawn.revision),
        reason: Set(withdrawn.reason.clone()),
        recorded_at_ms: Set(now_ms),
    };
    let newer = OnConflict::columns([Column::BulletinId, Column::OrganisationId])
        .update_columns([Column::Revision, Column::Reason, Column::RecordedAtMs])
        .to_owned();
    withdrawal::Entity::insert(row).on_conflict(newer).exec_without_returning(connection).await.map(|_| ())
}

/// Which of these notices have a row.
pub(crate) async fn present<C: ConnectionTrait>(connection: &C, ids: &[Uuid]) -> Result<HashSet<Uuid>, DbErr> {
    let mut present = HashSet::with_capacity(ids.len());
    for chunk in ids.chunks(IDS_A_QUERY) {
        let found: Vec<Uuid> = notice::Entity::find()
            .select_only()
            .column(notice::Column::NoticeId)
            .filter(notice::Column::NoticeId.is_in(filled(chunk.to_vec())))
            .into_tuple()
            .all(connection)
            .await?;
        present.extend(found);
    }
    Ok(present)
}

/// Owes dispatch a report of every notice of a bulletin.
pub(crate) async fn owe_report(
    transaction: &DatabaseTransaction,
    bulletin: &Bulletin,
    now_ms: i64,
) -> Result<(), DbErr> {
    if !bulletin.is_reported() {
        return Ok(());
    }
    notice::Entity::update_many()
        .col_expr(notice::Column::OwedSinceMs, Expr::value(now_ms))
        .filter(notice::Column::BulletinId.eq(bulletin.row.bulletin_id))
        .filter(notice::Column::Revision.eq(bulletin.row.revision))
        .exec(transaction)
        .await
        .map(|_| ())
}

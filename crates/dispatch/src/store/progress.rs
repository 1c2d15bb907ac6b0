//! How far each notice has come.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::entity::notice_progress;

/// Rows a statement: twelve binds each, and SQLite ends at 32,766.
const ROWS_A_STATEMENT: usize = 1_000;

/// Keeps the newest version of each notice. No notice may stand twice in `rows`.
pub(crate) async fn put<C: ConnectionTrait>(transaction: &C, rows: Vec<notice_progress::Model>) -> Result<(), DbErr> {
    use notice_progress::Column;
    let mut rows = rows.into_iter();
    loop {
        let some: Vec<_> = rows.by_ref().take(ROWS_A_STATEMENT).map(IntoActiveModel::into_active_model).collect();
        if some.is_empty() {
            return Ok(());
        }
        let newer = OnConflict::column(Column::NoticeId)
            .update_columns([
                Column::State,
                Column::Language,
                Column::Reason,
                Column::AtMs,
                Column::HandedTo,
                Column::DueAtMs,
                Column::Version,
            ])
            .action_and_where(Expr::cust("excluded.version > notice_progress.version"))
            .to_owned();
        notice_progress::Entity::insert_many(some).on_conflict(newer).exec_without_returning(transaction).await?;
    }
}

/// Every notice of an alert, in the order of their ids.
pub(crate) async fn of_alert<C: ConnectionTrait>(
    connection: &C,
    alert: Uuid,
) -> Result<Vec<notice_progress::Model>, DbErr> {
    notice_progress::Entity::find()
        .filter(notice_progress::Column::AlertId.eq(alert))
        .order_by_asc(notice_progress::Column::NoticeId)
        .all(connection)
        .await
}

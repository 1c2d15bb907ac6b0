//! The one row that gives out positions of the feed and versions of the register.
//!
//! A writer holds its lock until the commit, so positions become visible in their order and none is skipped, which an
//! auto-increment does not promise.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::{alert, feed_state};
use crate::feed::cursor::FeedBounds;

const ROW: i32 = 1;

/// The row as it is.
pub(crate) async fn state<C: ConnectionTrait>(connection: &C) -> Result<feed_state::Model, DbErr> {
    feed_state::Entity::find_by_id(ROW).one(connection).await?.ok_or_else(missing)
}

/// Where the feed stands.
pub(crate) async fn bounds<C: ConnectionTrait>(connection: &C) -> Result<FeedBounds, DbErr> {
    let row = state(connection).await?;
    Ok(FeedBounds { epoch: row.epoch, position: row.position, trimmed_to: row.trimmed_to })
}

/// Locks the row until the transaction ends, so that what is read of alerts afterwards is not changed by another writer.
/// On SQLite a transaction that may write is alone from its beginning.
pub(crate) async fn lock<C: ConnectionTrait>(transaction: &C) -> Result<(), DbErr> {
    feed_state::Entity::find_by_id(ROW).lock_exclusive().one(transaction).await?.map(|_| ()).ok_or_else(missing)
}

/// Gives the feed another epoch, so that no cursor made before can be used.
pub(crate) async fn put_epoch<C: ConnectionTrait>(transaction: &C, epoch: &str) -> Result<(), DbErr> {
    let changed = feed_state::Entity::update_many()
        .col_expr(feed_state::Column::Epoch, Expr::value(epoch))
        .filter(feed_state::Column::Id.eq(ROW))
        .exec(transaction)
        .await?;
    if changed.rows_affected == 0 { Err(missing()) } else { Ok(()) }
}

/// Takes the next position and locks the row until the transaction ends.
pub(crate) async fn next_position<C: ConnectionTrait>(transaction: &C) -> Result<feed_state::Model, DbErr> {
    add_one(transaction, feed_state::Column::Position).await
}

/// Counts a change of the register and locks the row until the transaction ends.
pub(crate) async fn next_network_version<C: ConnectionTrait>(transaction: &C) -> Result<feed_state::Model, DbErr> {
    add_one(transaction, feed_state::Column::NetworkVersion).await
}

async fn add_one<C: ConnectionTrait>(transaction: &C, column: feed_state::Column) -> Result<feed_state::Model, DbErr> {
    let rows = feed_state::Entity::update_many()
        .col_expr(column, Expr::col(column).add(1))
        .filter(feed_state::Column::Id.eq(ROW))
        .exec_with_returning(transaction)
        .await?;
    rows.into_iter().next().ok_or_else(missing)
}

/// Stops serving changes older than a moment. Returns the position up to which they went.
pub(crate) async fn trim<C: ConnectionTrait>(transaction: &C, before_ms: i64) -> Result<Option<i64>, DbErr> {
    let last = alert::Entity::find()
        .filter(alert::Column::FeedPosition.is_not_null())
        .filter(alert::Column::FeedAtMs.lt(before_ms))
        .order_by_desc(alert::Column::FeedPosition)
        .one(transaction)
        .await?;
    let Some(position) = last.and_then(|alert| alert.feed_position) else { return Ok(None) };
    let trimmed = feed_state::Entity::update_many()
        .col_expr(feed_state::Column::TrimmedTo, Expr::value(position))
        .filter(feed_state::Column::Id.eq(ROW))
        .filter(feed_state::Column::TrimmedTo.lt(position))
        .exec(transaction)
        .await?;
    Ok((trimmed.rows_affected > 0).then_some(position))
}

fn missing() -> DbErr {
    DbErr::RecordNotFound("the row of feed_state is missing: migrate the database of dispatch".to_owned())
}

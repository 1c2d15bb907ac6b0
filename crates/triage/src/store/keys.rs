//! Sealing keys: which of our own were said, and which are still waited for.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::entity::case::early_message;
use crate::entity::ledger::announced_key;
use crate::error::TriageError;

/// Whether a key of our own was said on the bus.
pub(crate) async fn is_announced<C: ConnectionTrait>(connection: &C, key_id: &str) -> Result<bool, TriageError> {
    Ok(announced_key::Entity::find_by_id(key_id).one(connection).await?.is_some())
}

/// Notes that a key of our own is said by this very transaction; saying it again changes nothing.
pub(crate) async fn announce<C: ConnectionTrait>(connection: &C, key_id: &str, now_ms: i64) -> Result<(), TriageError> {
    let row = announced_key::ActiveModel { key_id: Set(key_id.to_owned()), announced_at_ms: Set(now_ms) };
    announced_key::Entity::insert(row)
        .on_conflict(OnConflict::column(announced_key::Column::KeyId).do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// The keys that messages without a report still wait for.
pub(crate) async fn waited_for<C: ConnectionTrait>(connection: &C) -> Result<Vec<String>, TriageError> {
    Ok(early_message::Entity::find()
        .select_only()
        .column(early_message::Column::KeyId)
        .distinct()
        .filter(early_message::Column::KeyId.ne(""))
        .into_tuple()
        .all(connection)
        .await?)
}

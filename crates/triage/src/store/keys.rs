//! Sealing keys: the newest of each other service, and which of our own were said.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};
use tocsin_platform::seal::PublicSealingKey;
use tocsin_proto::catalogue::Service;

use crate::entity::case::early_message;
use crate::entity::ledger::{announced_key, sealing_key};
use crate::error::TriageError;

/// Keeps another service's key, unless a newer one is known.
pub(crate) async fn keep<C: ConnectionTrait>(
    connection: &C,
    owner: Service,
    key: &PublicSealingKey,
    published_at_ms: i64,
) -> Result<(), TriageError> {
    let known = sealing_key::Entity::find_by_id(owner.as_str()).one(connection).await?;
    if known.is_some_and(|known| known.published_at_ms > published_at_ms) {
        return Ok(());
    }
    let row = sealing_key::ActiveModel {
        owner: Set(owner.as_str().to_owned()),
        key_id: Set(key.id.clone()),
        key: Set(key.bytes.clone()),
        published_at_ms: Set(published_at_ms),
    };
    let replace = OnConflict::column(sealing_key::Column::Owner)
        .update_columns([sealing_key::Column::KeyId, sealing_key::Column::Key, sealing_key::Column::PublishedAtMs])
        .to_owned();
    sealing_key::Entity::insert(row).on_conflict(replace).exec_without_returning(connection).await?;
    Ok(())
}

/// The newest key of another service.
pub(crate) async fn newest<C: ConnectionTrait>(
    connection: &C,
    owner: Service,
) -> Result<Option<PublicSealingKey>, TriageError> {
    let row = sealing_key::Entity::find_by_id(owner.as_str()).one(connection).await?;
    Ok(row.map(|row| PublicSealingKey { id: row.key_id, bytes: row.key }))
}

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

//! The newest public sealing key of each service.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, IntoActiveModel};
use tocsin_platform::seal::PublicSealingKey;

use crate::entity::sealing_key;

/// The newest key of a service, if one was ever published.
pub(crate) async fn find<C: ConnectionTrait>(connection: &C, owner: &str) -> Result<Option<PublicSealingKey>, DbErr> {
    let row = sealing_key::Entity::find_by_id(owner).one(connection).await?;
    Ok(row.map(|row| PublicSealingKey { id: row.key_id, bytes: row.key }))
}

/// Keeps a key unless a newer one is known.
pub(crate) async fn put<C: ConnectionTrait>(
    connection: &C,
    owner: &str,
    key: &PublicSealingKey,
    published_at_ms: i64,
) -> Result<(), DbErr> {
    use sealing_key::Column;
    let newer = OnConflict::column(Column::Owner)
        .update_columns([Column::KeyId, Column::Key, Column::PublishedAtMs])
        .action_and_where(Expr::cust("excluded.published_at_ms > sealing_keys.published_at_ms"))
        .to_owned();
    let row =
        sealing_key::Model { owner: owner.to_owned(), key_id: key.id.clone(), key: key.bytes.clone(), published_at_ms };
    let row = row.into_active_model();
    sealing_key::Entity::insert(row).on_conflict(newer).exec_without_returning(connection).await.map(|_| ())
}

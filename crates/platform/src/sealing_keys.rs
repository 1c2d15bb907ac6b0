//! The public sealing keys of other services, as a service that seals to them keeps them: the newest of each, in a table
//! of its own database.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel};
use sea_orm_migration::prelude::{Table, TableCreateStatement};
use sea_orm_migration::schema::{big_integer, binary, string};
use tocsin_proto::catalogue::Service;
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::event::v1::KeyPublished;

use crate::clock::to_ms;
use crate::consume::{ConsumeError, IncomingEvent};
use crate::seal::PublicSealingKey;

/// The name of the table.
pub const TABLE: &str = "sealing_keys";

mod entity {
    use sea_orm::entity::prelude::*;

    /// `owner` is the service's name.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sealing_keys")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) owner: String,
        pub(super) key_id: String,
        pub(super) key: Vec<u8>,
        pub(super) published_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The table, for the migration of each service that keeps keys.
pub fn table() -> TableCreateStatement {
    Table::create()
        .table(TABLE)
        .col(string("owner").primary_key())
        .col(string("key_id"))
        .col(binary("key"))
        .col(big_integer("published_at_ms"))
        .to_owned()
}

/// The newest key of a service, if one was ever heard.
pub async fn newest<C: ConnectionTrait>(connection: &C, owner: Service) -> Result<Option<PublicSealingKey>, DbErr> {
    let row = entity::Entity::find_by_id(owner.as_str()).one(connection).await?;
    Ok(row.map(|row| PublicSealingKey { id: row.key_id, bytes: row.key }))
}

/// Keeps a key unless a newer one is known; one statement, so that two processes that hear two keys end with the newer.
async fn keep<C: ConnectionTrait>(
    connection: &C,
    owner: Service,
    key: &PublicSealingKey,
    published_at_ms: i64,
) -> Result<(), DbErr> {
    use entity::Column;
    let newer = OnConflict::column(Column::Owner)
        .update_columns([Column::KeyId, Column::Key, Column::PublishedAtMs])
        .action_and_where(Expr::cust("excluded.published_at_ms > sealing_keys.published_at_ms"))
        .to_owned();
    let row = entity::Model {
        owner: owner.as_str().to_owned(),
        key_id: key.id.clone(),
        key: key.bytes.clone(),
        published_at_ms,
    };
    let row = row.into_active_model();
    entity::Entity::insert(row).on_conflict(newer).exec_without_returning(connection).await.map(|_| ())
}

/// Takes the event in which a service says its key.
pub async fn hear(
    transaction: &DatabaseTransaction,
    owner: Service,
    event: &IncomingEvent,
) -> Result<(), ConsumeError> {
    let fault = |what: &str| ConsumeError::Fault(format!("{}: {what}", event.kind.name));
    let said: KeyPublished = event.message()?;
    let given = said.key.ok_or_else(|| fault("it holds no key"))?;
    let key = PublicSealingKey::try_from(given).map_err(|_| fault("its key is no sealing key with this id"))?;
    let published_at = from_timestamp(said.published_at.as_ref()).unwrap_or(event.at);
    Ok(keep(transaction, owner, &key, to_ms(published_at)).await?)
}

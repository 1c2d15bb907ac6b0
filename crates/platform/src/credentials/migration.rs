//! The one table of the store of keys.

use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::{ColumnDef, DbErr, MigrationName, MigrationTrait, SchemaManager, Table, async_trait};
use sea_orm_migration::schema::{big_integer, big_integer_null, pk_uuid, text, text_null};

pub(super) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(ApiKeys)]
    }
}

struct ApiKeys;

impl MigrationName for ApiKeys {
    fn name(&self) -> &'static str {
        "m20260101_000001_api_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for ApiKeys {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("api_keys")
            .col(pk_uuid("id"))
            .col(ColumnDef::new("secret_hash").binary().not_null().unique_key())
            .col(text("actor"))
            .col(text("name"))
            .col(text("roles"))
            .col(text_null("organisation"))
            .col(text_null("country"))
            .col(big_integer("created_at_ms"))
            .col(big_integer_null("expires_at_ms"))
            .col(big_integer_null("revoked_at_ms"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("api_keys").if_exists().to_owned()).await
    }
}

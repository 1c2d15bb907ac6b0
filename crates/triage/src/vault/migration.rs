//! The tables of the key store, the same for SQLite and PostgreSQL.

use sea_orm_migration::prelude::{
    DbErr, MigrationName, MigrationTrait, MigratorTrait, Query, SchemaManager, Table, async_trait,
};
use sea_orm_migration::schema::{big_integer, big_integer_null, binary, binary_null, integer, pk_uuid, string};

/// Brings the key store to the present form.
pub(super) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Tables)]
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m20260102_000001_key_store_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let key_pairs = Table::create()
            .table("key_pairs")
            .col(string("key_id").primary_key())
            .col(binary("public_key"))
            .col(binary_null("wrapped_secret"))
            .col(big_integer("made_at_ms"))
            .col(big_integer_null("retired_at_ms"))
            .to_owned();
        let data_keys = Table::create()
            .table("data_keys")
            .col(pk_uuid("report_id"))
            .col(binary("wrapped"))
            .col(big_integer("kept_at_ms"))
            .to_owned();
        let own_keys =
            Table::create().table("own_keys").col(string("name").primary_key()).col(binary("wrapped")).to_owned();
        let rotation = Table::create()
            .table("rotation")
            .col(integer("id").primary_key())
            .col(big_integer("rotated_at_ms"))
            .to_owned();
        for table in [key_pairs, data_keys, own_keys, rotation] {
            manager.create_table(table).await?;
        }
        // The earliest time there is: the first look at it finds a rotation due.
        let first = Query::insert()
            .into_table("rotation")
            .columns(["id", "rotated_at_ms"])
            .values_panic([1.into(), i64::MIN.into()])
            .to_owned();
        manager.execute(first).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["rotation", "own_keys", "data_keys", "key_pairs"] {
            manager.drop_table(Table::drop().table(table).if_exists().to_owned()).await?;
        }
        Ok(())
    }
}

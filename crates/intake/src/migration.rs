//! intake's own tables, the same for SQLite and PostgreSQL.

use sea_orm_migration::prelude::{
    DbErr, Index, MigrationName, MigrationTrait, MigratorTrait, SchemaManager, Table, async_trait,
};
use sea_orm_migration::schema::{big_integer, binary, integer, pk_uuid, text, uuid};
use tocsin_platform::sealing_keys;

/// The platform's migrations, then intake's.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        tocsin_platform::database::migrations_with(Tables)
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m20260102_000001_intake_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_reports(manager).await?;
        create_conversation(manager).await?;
        create_idempotency(manager).await?;
        manager.create_table(sealing_keys::table()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [sealing_keys::TABLE, "idempotency", "answers", "messages", "reports"] {
            manager.drop_table(Table::drop().table(table).if_exists().to_owned()).await?;
        }
        Ok(())
    }
}

async fn create_reports(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let reports = Table::create()
        .table("reports")
        .col(pk_uuid("report_id"))
        .col(binary("receipt_hash").unique_key())
        .col(binary("receipt_public_key"))
        .col(binary("sealed"))
        .col(big_integer("received_at_ms"))
        .col(text("state"))
        .col(big_integer("state_version"))
        .col(integer("message_count"))
        .to_owned();
    manager.create_table(reports).await
}

async fn create_conversation(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let messages = Table::create()
        .table("messages")
        .col(pk_uuid("message_id"))
        .col(uuid("report_id"))
        .col(big_integer("received_at_ms"))
        .col(binary("sealed"))
        .to_owned();
    manager.create_table(messages).await?;
    let answers = Table::create()
        .table("answers")
        .col(text("answer_id").primary_key())
        .col(uuid("report_id"))
        .col(big_integer("version"))
        .col(big_integer("answered_at_ms"))
        .col(binary("sealed"))
        .to_owned();
    manager.create_table(answers).await?;
    for table in ["messages", "answers"] {
        let index = Index::create().name(format!("{table}_report")).table(table).col("report_id").to_owned();
        manager.create_index(index).await?;
    }
    Ok(())
}

async fn create_idempotency(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let idempotency = Table::create()
        .table("idempotency")
        .col(binary("key_hash").primary_key())
        .col(binary("body_mac"))
        .col(binary("answer_sealed"))
        .col(big_integer("created_at_ms"))
        .to_owned();
    manager.create_table(idempotency).await?;
    let age = Index::create().name("idempotency_age").table("idempotency").col("created_at_ms").to_owned();
    manager.create_index(age).await
}

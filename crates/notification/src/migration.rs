//! notification's own tables, the same for SQLite and PostgreSQL.

mod auditor;
mod leaner;
mod mail;
mod people;
mod sms;
mod webhook;

use sea_orm_migration::prelude::{
    DbErr, Index, MigrationName, MigrationTrait, MigratorTrait, SchemaManager, Table, async_trait,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary, binary_null, boolean, integer, pk_uuid, small_integer, text, text_null,
    uuid, uuid_null,
};

pub(crate) use auditor::UNEXPLAINED;

/// The platform's migrations, then notification's.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = tocsin_platform::database::migrations_with(Tables);
        migrations.push(Box::new(mail::MailTables));
        migrations.push(Box::new(webhook::Answers));
        migrations.push(Box::new(sms::SmsTables));
        migrations.push(Box::new(auditor::Unexplained));
        migrations.push(Box::new(people::PeopleTables));
        migrations.push(Box::new(leaner::LeanerIndexes));
        migrations
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m20260102_000001_notification_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_contacts(manager).await?;
        create_bulletins(manager).await?;
        create_notices(manager).await?;
        index_notices(manager).await?;
        create_attempts(manager).await?;
        create_withdrawals(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["withdrawals", "attempts", "notices", "bulletins", "local_secrets", "contacts"] {
            manager.drop_table(Table::drop().table(table).if_exists().to_owned()).await?;
        }
        Ok(())
    }
}

async fn create_contacts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let contacts = Table::create()
        .table("contacts")
        .col(text("contact_id").primary_key())
        .col(text_null("organisation_id"))
        .col(text("language"))
        .col(text("time_zone"))
        .col(text("channels"))
        .col(text_null("quiet_hours"))
        .col(boolean("urgent_overrides_quiet_hours"))
        .col(boolean("webhook_disabled"))
        .col(binary("sealed"))
        .col(big_integer("version"))
        .col(big_integer("updated_at_ms"))
        .to_owned();
    manager.create_table(contacts).await?;
    let secrets = Table::create()
        .table("local_secrets")
        .col(text("name").primary_key())
        .col(binary("wrapped"))
        .col(big_integer_null("published_at_ms"))
        .to_owned();
    manager.create_table(secrets).await
}

async fn create_bulletins(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let bulletins = Table::create()
        .table("bulletins")
        .col(uuid("bulletin_id"))
        .col(integer("revision"))
        .primary_key(Index::create().col("bulletin_id").col("revision"))
        .col(text("kind"))
        .col(text("short_code"))
        .col(text("priority"))
        .col(text("tlp"))
        .col(big_integer("released_at_ms"))
        .col(big_integer("deadline_at_ms"))
        .col(big_integer("expires_at_ms"))
        .col(big_integer_null("consent_expires_at_ms"))
        .col(boolean("drill"))
        .col(text("source_language"))
        .col(text("reviewed_languages"))
        .col(text("coordinator_id"))
        .col(text("coordinator_name"))
        .col(binary_null("sealed_texts"))
        .col(big_integer("created_at_ms"))
        .to_owned();
    manager.create_table(bulletins).await
}

async fn create_notices(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let notices = Table::create()
        .table("notices")
        .col(pk_uuid("notice_id"))
        .col(text("batch_id"))
        .col(uuid("bulletin_id"))
        .col(integer("revision"))
        .col(text("contact_id"))
        .col(text("organisation_id"))
        .col(text("channel"))
        .col(small_integer("lane"))
        .col(big_integer("destination"))
        .col(text("language"))
        .col(text("acknowledge_token"))
        .col(text("state"))
        .col(text_null("reason"))
        .col(integer("attempts"))
        .col(big_integer_null("next_at_ms"))
        .col(uuid_null("lease_owner"))
        .col(text_null("withdrawn_reason"))
        .col(text_null("handed_to"))
        .col(text_null("provider_id"))
        .col(integer("version"))
        .col(big_integer_null("owed_since_ms"))
        .col(big_integer("changed_at_ms"))
        .to_owned();
    manager.create_table(notices).await
}

async fn index_notices(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let once = Index::create()
        .name("notices_once")
        .table("notices")
        .col("bulletin_id")
        .col("revision")
        .col("contact_id")
        .col("channel")
        .unique()
        .to_owned();
    manager.create_index(once).await?;
    // Only rows that have a next step stand in a range of these two: the others hold NULL there.
    let due = Index::create().name("notices_due").table("notices").col("lane").col("next_at_ms").to_owned();
    manager.create_index(due).await?;
    let owed = Index::create().name("notices_owed").table("notices").col("owed_since_ms").to_owned();
    manager.create_index(owed).await?;
    let leased = Index::create().name("notices_leased").table("notices").col("lease_owner").to_owned();
    manager.create_index(leased).await
}

async fn create_attempts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let attempts = Table::create()
        .table("attempts")
        .col(pk_uuid("attempt_id"))
        .col(uuid("notice_id"))
        .col(integer("number"))
        .col(big_integer("started_at_ms"))
        .col(big_integer("ended_at_ms"))
        .col(text("outcome"))
        .col(text("code"))
        .to_owned();
    manager.create_table(attempts).await?;
    let by_notice = Index::create().name("attempts_notice").table("attempts").col("notice_id").to_owned();
    manager.create_index(by_notice).await
}

async fn create_withdrawals(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let withdrawals = Table::create()
        .table("withdrawals")
        .col(uuid("bulletin_id"))
        .col(text("organisation_id"))
        .primary_key(Index::create().col("bulletin_id").col("organisation_id"))
        .col(integer("revision"))
        .col(text("reason"))
        .col(big_integer("recorded_at_ms"))
        .to_owned();
    manager.create_table(withdrawals).await?;
    let recent = Index::create().name("withdrawals_recent").table("withdrawals").col("recorded_at_ms").to_owned();
    manager.create_index(recent).await
}

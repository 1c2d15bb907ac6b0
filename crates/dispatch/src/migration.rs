//! The tables of dispatch, the same for SQLite and PostgreSQL, after the platform's own.

use sea_orm_migration::prelude::{
    ConnectionTrait, DbErr, Index, IndexCreateStatement, MigrationName, MigrationTrait, MigratorTrait, SchemaManager,
    Table, async_trait,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary_null, boolean, integer, pk_uuid, string, text, uuid,
};
use tocsin_platform::database::migrations_with;
use tocsin_platform::sealing_keys;

use crate::feed::cursor::new_epoch;

/// Every migration of dispatch's database.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        migrations_with(Tables)
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m20260201_000001_dispatch_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_organisations(manager).await?;
        create_alerts(manager).await?;
        create_recipients(manager).await?;
        create_feed_state(manager).await?;
        create_notice_progress(manager).await?;
        manager.create_table(sealing_keys::table()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [sealing_keys::TABLE, "notice_progress", "feed_state", "recipients", "alerts", "organisations"] {
            manager.drop_table(Table::drop().table(table).if_exists().to_owned()).await?;
        }
        Ok(())
    }
}

async fn create_organisations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("organisations")
        .col(text("organisation_id").primary_key())
        .col(text("name"))
        .col(string("country"))
        .col(string("region"))
        .col(string("kind"))
        .col(string("language"))
        .col(string("clearance"))
        .col(text("groups"))
        .col(text("subscription"))
        .col(text("offers"))
        .col(text("contact_ids"))
        .to_owned();
    manager.create_table(table).await
}

async fn create_alerts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("alerts")
        .col(pk_uuid("alert_id"))
        .col(big_integer("revision"))
        .col(string("short_code"))
        .col(binary_null("reference_mac"))
        .col(string("priority"))
        .col(string("tlp"))
        .col(big_integer("released_at_ms"))
        .col(big_integer("deadline_at_ms"))
        .col(boolean("drill"))
        .col(big_integer_null("consent_expires_at_ms"))
        .col(string("state"))
        .col(string("withdrawn_reason"))
        .col(big_integer_null("withdrawn_at_ms"))
        .col(binary_null("content"))
        .col(big_integer("content_revision"))
        .col(big_integer_null("feed_position"))
        .col(string("feed_change"))
        .col(big_integer("feed_at_ms"))
        .to_owned();
    manager.create_table(table).await?;
    manager.create_index(index("alerts_feed_position", "alerts", &["feed_position"]).unique().to_owned()).await?;
    let due = index("alerts_consent_expiry", "alerts", &["state", "consent_expires_at_ms"]);
    manager.create_index(due).await?;
    manager.create_index(index("alerts_short_code", "alerts", &["short_code"])).await?;
    manager.create_index(index("alerts_reference_mac", "alerts", &["reference_mac"])).await
}

async fn create_recipients(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("recipients")
        .col(uuid("alert_id"))
        .col(text("organisation_id"))
        .col(big_integer("revision"))
        .col(integer("contacts"))
        .col(string("response"))
        .col(big_integer("response_version"))
        .col(big_integer_null("responded_at_ms"))
        .col(big_integer("responded_revision"))
        .primary_key(Index::create().col("alert_id").col("organisation_id"))
        .to_owned();
    manager.create_table(table).await?;
    manager.create_index(index("recipients_organisation", "recipients", &["organisation_id", "alert_id"])).await
}

async fn create_feed_state(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("feed_state")
        .col(integer("id").primary_key())
        .col(string("epoch"))
        .col(big_integer("position"))
        .col(big_integer("trimmed_to"))
        .col(big_integer("network_version"))
        .to_owned();
    manager.create_table(table).await?;
    let epoch = new_epoch();
    // The epoch is eight hexadecimal digits made by `new_epoch`, so it can stand in the statement as it is.
    let first = format!(
        "INSERT INTO feed_state (id, epoch, position, trimmed_to, network_version) VALUES (1, '{epoch}', 0, 0, 0)"
    );
    manager.get_connection().execute_unprepared(&first).await.map(|_| ())
}

async fn create_notice_progress(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("notice_progress")
        .col(pk_uuid("notice_id"))
        .col(uuid("alert_id"))
        .col(text("contact_id"))
        .col(text("organisation_id"))
        .col(string("channel"))
        .col(string("state"))
        .col(string("language"))
        .col(text("reason"))
        .col(big_integer("at_ms"))
        .col(text("handed_to"))
        .col(big_integer_null("due_at_ms"))
        .col(big_integer("version"))
        .to_owned();
    manager.create_table(table).await?;
    manager.create_index(index("notice_progress_alert", "notice_progress", &["alert_id"])).await
}

fn index(name: &'static str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

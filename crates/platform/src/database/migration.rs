//! The tables that every service has for the platform: events out, what is owed, events in, dead letters, and what the
//! broker said.

use sea_orm_migration::prelude::{
    ConnectionTrait, DbErr, Index, MigrationName, MigrationTrait, SchemaManager, Table, async_trait,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, big_pk_auto, binary, integer, pk_uuid, small_integer, string, text, text_null, uuid,
};

/// The platform's migrations, then a service's own: what a service's `Migrator` applies.
pub fn migrations_with(own: impl MigrationTrait + 'static) -> Vec<Box<dyn MigrationTrait>> {
    let mut migrations = platform_migrations();
    migrations.push(Box::new(own));
    migrations
}

/// The platform's migrations alone.
pub fn platform_migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(Tables), Box::new(Advisories)]
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &'static str {
        "m20260101_000001_platform_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_outbox(manager).await?;
        create_inbox(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["dead_letters", "inbox", "outbox_owed", "outbox"] {
            manager.drop_table(Table::drop().table(table).if_exists().to_owned()).await?;
        }
        Ok(())
    }
}

struct Advisories;

impl MigrationName for Advisories {
    fn name(&self) -> &'static str {
        "m20260102_000001_bus_advisories"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Advisories {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let advisories = Table::create()
            .table("bus_advisories")
            .col(big_pk_auto("id"))
            .col(string("kind"))
            .col(string("stream"))
            .col(string("consumer"))
            .col(big_integer("stream_sequence"))
            .col(big_integer("deliveries"))
            .col(big_integer("at_ms"))
            .to_owned();
        manager.create_table(advisories).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("bus_advisories").if_exists().to_owned()).await
    }
}

async fn create_outbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let outbox = Table::create()
        .table("outbox")
        .col(pk_uuid("event_id"))
        .col(string("kind"))
        .col(small_integer("lane"))
        .col(text("aggregate"))
        .col(big_integer("version"))
        .col(big_integer("at_ms"))
        .col(binary("payload"))
        .col(text_null("traceparent"))
        .col(big_integer_null("settled_late_at_ms"))
        .to_owned();
    manager.create_table(outbox).await?;
    let owed = Table::create()
        .table("outbox_owed")
        // SQLite must never give a number twice, because the relay remembers how far it has looked.
        .col(big_pk_auto("seq"))
        .col(uuid("event_id"))
        .col(string("consumer"))
        .col(small_integer("lane"))
        .col(big_integer("recorded_at_ms"))
        .col(big_integer_null("published_at_ms"))
        .col(big_integer("generation"))
        .col(big_integer_null("broker_epoch"))
        .col(big_integer_null("broker_sequence"))
        .to_owned();
    manager.create_table(owed).await?;
    let unique = Index::create()
        .name("outbox_owed_event_consumer")
        .table("outbox_owed")
        .col("event_id")
        .col("consumer")
        .unique()
        .to_owned();
    manager.create_index(unique).await?;
    // Partial: only what still has to be published is in it, so settling a published row does not touch it.
    let unpublished = "CREATE INDEX outbox_owed_unpublished ON outbox_owed (lane, seq) WHERE published_at_ms IS NULL";
    manager.get_connection().execute_unprepared(unpublished).await.map(|_| ())
}

async fn create_inbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let inbox = Table::create()
        .table("inbox")
        .col(string("consumer"))
        .col(uuid("event_id"))
        .col(big_integer("seen_at_ms"))
        .primary_key(Index::create().col("consumer").col("event_id"))
        .to_owned();
    manager.create_table(inbox).await?;
    let dead_letters = Table::create()
        .table("dead_letters")
        .col(string("consumer"))
        .col(uuid("event_id"))
        .col(string("kind"))
        .col(small_integer("lane"))
        .col(text("aggregate"))
        .col(big_integer("version"))
        .col(big_integer("at_ms"))
        .col(binary("payload"))
        .col(text_null("traceparent"))
        .col(integer("attempts"))
        .col(text("fault"))
        .col(big_integer("died_at_ms"))
        .col(big_integer_null("redrive_at_ms"))
        .primary_key(Index::create().col("consumer").col("event_id"))
        .to_owned();
    manager.create_table(dead_letters).await
}

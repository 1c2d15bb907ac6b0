//! The tables of what people do by hand: changes with who and why, proved addresses; and by which gateway an attempt went.

use sea_orm_migration::prelude::{DbErr, Index, MigrationName, MigrationTrait, SchemaManager, Table, async_trait};
use sea_orm_migration::schema::{big_integer, big_integer_null, integer, pk_uuid, text, text_null, uuid};

pub(super) struct PeopleTables;

impl MigrationName for PeopleTables {
    fn name(&self) -> &'static str {
        "m20261124_000002_notification_people"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for PeopleTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let changes = Table::create()
            .table("changes")
            .col(pk_uuid("change_id"))
            .col(big_integer("at_ms"))
            .col(text("actor_id"))
            .col(text("kind"))
            .col(text("subject"))
            .col(text("reason"))
            .col(big_integer("notices"))
            .to_owned();
        manager.create_table(changes).await?;
        let touched = Table::create()
            .table("changed_notices")
            .col(uuid("notice_id"))
            .col(uuid("change_id"))
            .primary_key(Index::create().col("notice_id").col("change_id"))
            .to_owned();
        manager.create_table(touched).await?;
        let verifications = Table::create()
            .table("contact_verifications")
            .col(text("contact_id"))
            .col(text("channel"))
            .primary_key(Index::create().col("contact_id").col("channel"))
            .col(text("address_mac"))
            .col(big_integer_null("verified_at_ms"))
            .col(text_null("code_mac"))
            .col(big_integer("code_sent_at_ms"))
            .col(integer("tries"))
            .to_owned();
        manager.create_table(verifications).await?;
        manager.alter_table(Table::alter().table("attempts").add_column(text_null("gateway")).to_owned()).await?;
        // Smarthosts and messengers are paused there too.
        manager.rename_table(Table::rename().table("sms_gateways", "gateways").to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.rename_table(Table::rename().table("gateways", "sms_gateways").to_owned()).await?;
        manager.alter_table(Table::alter().table("attempts").drop_column("gateway").to_owned()).await?;
        for table in ["contact_verifications", "changed_notices", "changes"] {
            manager.drop_table(Table::drop().table(table).if_exists().to_owned()).await?;
        }
        Ok(())
    }
}

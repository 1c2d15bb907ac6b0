//! The tables of bounces and suppressed addresses.

use sea_orm_migration::prelude::{DbErr, Index, MigrationName, MigrationTrait, SchemaManager, Table, async_trait};
use sea_orm_migration::schema::{big_integer, big_integer_null, pk_uuid, text};

pub(super) struct MailTables;

impl MigrationName for MailTables {
    fn name(&self) -> &'static str {
        "m20261124_000001_notification_mail"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for MailTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let bounces = Table::create()
            .table("mail_bounces")
            .col(pk_uuid("notice_id"))
            .col(text("contact_id"))
            .col(text("address_mac"))
            .col(text("class"))
            .col(text("status"))
            .col(big_integer("at_ms"))
            .to_owned();
        manager.create_table(bounces).await?;
        let by_contact =
            Index::create().name("mail_bounces_contact").table("mail_bounces").col("contact_id").to_owned();
        manager.create_index(by_contact).await?;
        let suppressions = Table::create()
            .table("mail_suppressions")
            .col(text("contact_id").primary_key())
            .col(text("address_mac"))
            .col(text("kind"))
            .col(text("detail"))
            .col(big_integer("since_ms"))
            .col(big_integer_null("until_ms"))
            .to_owned();
        manager.create_table(suppressions).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["mail_suppressions", "mail_bounces"] {
            manager.drop_table(Table::drop().table(table).if_exists().to_owned()).await?;
        }
        Ok(())
    }
}

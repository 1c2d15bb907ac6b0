//! Keeps what a webhook answered in words with its attempt.

use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager, Table, async_trait};
use sea_orm_migration::schema::text_null;

/// `attempts.answer`.
pub(super) struct Answers;

impl MigrationName for Answers {
    fn name(&self) -> &'static str {
        "m20260104_000001_notification_answers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Answers {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("attempts").add_column(text_null("answer")).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("attempts").drop_column("answer").to_owned()).await
    }
}

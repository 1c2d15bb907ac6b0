//! Indexes of notices that hold only what they are asked for: a notice at rest stands in none of them, and one that is
//! claimed or recorded changes fewer.

use sea_orm::ConnectionTrait as _;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct LeanerIndexes;

impl MigrationName for LeanerIndexes {
    fn name(&self) -> &'static str {
        "m20261124_000003_notification_leaner_indexes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for LeanerIndexes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        apply(
            manager,
            &[
                "DROP INDEX notices_due",
                "DROP INDEX notices_owed",
                // Leases are given up by their due times: what has a lease has a next step.
                "DROP INDEX notices_leased",
                "CREATE INDEX notices_due ON notices (lane, next_at_ms) WHERE next_at_ms IS NOT NULL",
                "CREATE INDEX notices_owed ON notices (owed_since_ms) WHERE owed_since_ms IS NOT NULL",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        apply(
            manager,
            &[
                "DROP INDEX notices_due",
                "DROP INDEX notices_owed",
                "CREATE INDEX notices_due ON notices (lane, next_at_ms)",
                "CREATE INDEX notices_owed ON notices (owed_since_ms)",
                "CREATE INDEX notices_leased ON notices (lease_owner)",
            ],
        )
        .await
    }
}

async fn apply(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}

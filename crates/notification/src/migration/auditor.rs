//! The index by which the auditor finds notices that nobody explains: it holds nothing else.

use sea_orm::ConnectionTrait as _;
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// Notices that have no next step, have not ended, and are not known to have arrived; nor were they handed to a channel
/// that gives no receipts, where "accepted" is the last word. Written out, because both databases use a partial index
/// only for conditions that they see.
pub(crate) const UNEXPLAINED: &str = "next_at_ms IS NULL \
    AND state NOT IN ('unknown_no_receipt', 'failed_temporary', 'expired', 'rejected_permanent', 'suppressed_unsafe', \
    'suppressed_consent', 'withdrawn', 'delivered', 'opened_in_portal', 'acknowledged', 'acted') \
    AND (channel = 'sms' OR state NOT IN ('handed_to_gateway', 'accepted'))";

pub(super) struct Unexplained;

impl MigrationName for Unexplained {
    fn name(&self) -> &'static str {
        "m20261124_000002_notification_unexplained"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Unexplained {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = format!("CREATE INDEX notices_unexplained ON notices (changed_at_ms) WHERE {UNEXPLAINED}");
        manager.get_connection().execute_unprepared(&sql).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX notices_unexplained").await.map(|_| ())
    }
}

//! Deliveries before anything is sent: the texts of every template, and addresses that nobody has proved.

use std::path::Path;

use sea_orm::ConnectionTrait as _;
use tocsin_notification::inspect::{check_templates, unverified};
use tocsin_platform::config::Settings;
use tocsin_platform::database::Database;
use tocsin_proto::catalogue::Service;

use super::storage::without_schema;
use super::{Finding, TRY_TIME};

/// Renders every template.
pub(super) fn templates() -> Vec<Finding> {
    match check_templates() {
        Ok(count) => {
            vec![Finding::ok("templates", format!("{count} texts in every language, each SMS one segment"))]
        }
        Err(faults) => {
            let advice = "this program was built wrongly";
            faults.into_iter().map(|fault| Finding::fail("templates", fault, advice)).collect()
        }
    }
}

/// Counts addresses in use that nobody has proved. A database that is not there yet has none; one that does not answer is
/// told elsewhere.
pub(super) async fn addresses(settings: &Settings) -> Option<Finding> {
    let looked = tokio::time::timeout(TRY_TIME, async {
        if !is_there(&settings.database.url).await {
            return None;
        }
        let database = Database::open(&settings.database, Service::Notification).await.ok()?;
        unverified(&database).await.ok()
    });
    let counted = looked.await.ok().flatten()?;
    let found = format!(
        "{} contacts, {} addresses in use, {} of them not verified",
        counted.contacts, counted.addresses, counted.unverified
    );
    if counted.unverified == 0 {
        return Some(Finding::ok("contacts", found));
    }
    let advice = "`tocsin contact list --unverified` names them, `tocsin contact verify` proves one";
    Some(Finding::warn("contacts", found, advice))
}

/// Whether notification's database has its present form; opening one that is not there would make it.
async fn is_there(url: &str) -> bool {
    if let Some(folder) = url.strip_prefix("sqlite:") {
        return Path::new(folder).join("notification.sqlite").is_file();
    }
    let Ok(connection) = sea_orm::Database::connect(without_schema(url)).await else { return false };
    let sql = "SELECT 1 FROM information_schema.tables WHERE table_name = 'contact_verifications'";
    let found = connection.query_one_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql)).await;
    found.is_ok_and(|row| row.is_some())
}

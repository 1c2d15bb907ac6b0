//! The tables under an installation, to see that they are at rest, and for what only time would bring: rows are made old, or put where an
//! accident would have left them.

use sea_orm::{ConnectionTrait as _, Statement};
use tocsin_platform::database::{Database, DatabaseSettings};
use tocsin_tests::Outcome;
use tocsin_tests::installation::Installation;
use tocsin_tests::trouble::ensure;

/// The databases of an installation; only those of an embedded one are changed.
pub(super) struct Tables {
    settings: DatabaseSettings,
}

impl Tables {
    pub(super) fn of(installation: &Installation) -> Self {
        Self::at(&format!("sqlite:{}", installation.data().join("database").display()))
    }

    /// The databases behind an address.
    pub(super) fn at(url: &str) -> Self {
        let url = url.to_owned();
        Self { settings: DatabaseSettings { url, connections_max: 1 } }
    }

    /// Changes rows of one service's tables; returns how many.
    pub(super) async fn change(&self, service: &str, sql: &str) -> Outcome<u64> {
        let database = Database::open_named(&self.settings, service).await?;
        let transaction = database.begin().await?;
        let changed = transaction.execute_unprepared(sql).await?.rows_affected();
        transaction.commit().await?;
        Ok(changed)
    }

    /// The number that a statement selects.
    pub(super) async fn count(&self, service: &str, sql: &str) -> Outcome<i64> {
        let database = Database::open_named(&self.settings, service).await?;
        let statement = Statement::from_string(database.backend(), sql);
        let row = database.reader().query_one_raw(statement).await?;
        let count = row.map(|row| row.try_get_by_index(0)).transpose()?;
        Ok(count.unwrap_or_default())
    }

    /// The bytes that a statement selects, or nothing.
    pub(super) async fn bytes(&self, service: &str, sql: &str) -> Outcome<Option<Vec<u8>>> {
        let database = Database::open_named(&self.settings, service).await?;
        let statement = Statement::from_string(database.backend(), sql);
        let row = database.reader().query_one_raw(statement).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
    }

    /// Changes at least one row.
    pub(super) async fn must_change(&self, service: &str, sql: &str) -> Outcome<()> {
        let changed = self.change(service, sql).await?;
        ensure(changed > 0, || format!("nothing to change in {service}: {sql}"))
    }
}

/// A UUID as SQL writes its bytes.
pub(super) fn blob(id: &str) -> String {
    format!("X'{}'", id.replace('-', ""))
}

//! Fresh databases for tests, on both backends.

use sea_orm_migration::MigratorTrait;
use tempfile::TempDir;
use tocsin_proto::catalogue::Service;

use super::PostgresServer;
use crate::database::{Database, DatabaseSettings};

/// A fresh, empty database; a SQLite one is removed when this is dropped.
#[derive(Debug)]
pub struct TestDatabase {
    settings: DatabaseSettings,
    folder: Option<TempDir>,
}

impl TestDatabase {
    /// A folder of SQLite files.
    ///
    /// # Panics
    /// When no temporary folder can be made.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let url = format!("sqlite:{}", folder.path().display());
        Self { settings: DatabaseSettings { url, connections_max: 4 }, folder: Some(folder) }
    }

    /// A database of the shared PostgreSQL server.
    ///
    /// # Panics
    /// When the server cannot be started.
    pub async fn postgres() -> Self {
        let url = PostgresServer::shared().await.create_database().await;
        Self { settings: DatabaseSettings { url, connections_max: 8 }, folder: None }
    }

    /// One of each kind.
    pub async fn both() -> [Self; 2] {
        [Self::sqlite(), Self::postgres().await]
    }

    /// How to open it.
    pub fn settings(&self) -> &DatabaseSettings {
        &self.settings
    }

    /// The folder of a SQLite database.
    pub fn folder(&self) -> Option<&std::path::Path> {
        self.folder.as_ref().map(TempDir::path)
    }

    /// Opens it for a service, with that service's migrations applied.
    ///
    /// # Panics
    /// When it does not open or the migrations fail.
    pub async fn open<M: MigratorTrait>(&self, service: Service) -> Database {
        let database = Database::open(&self.settings, service).await;
        let database = database.unwrap_or_else(|error| panic!("the database did not open: {error:?}"));
        let migrated = database.migrate::<M>().await;
        migrated.unwrap_or_else(|error| panic!("the migrations did not apply: {error:?}"));
        database
    }
}

//! One service's own database: SQLite for the embedded form, PostgreSQL for the distributed one, the same entities.
//!
//! SQLite has one writer connection and its callers queue in order, because several writers starve each other; readers
//! have a pool of their own. PostgreSQL has one pool and a schema for each service.

mod agreed;
mod error;
mod migration;
mod postgres;
mod sqlite;

use std::path::{Path, PathBuf};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use serde::Deserialize;
use tocsin_proto::catalogue::Service;

use crate::fail_points;

pub use agreed::{agreed_now, take_turn};
pub use error::{DatabaseError, is_busy_or_away};
pub(crate) use error::{in_short, is_absent, kind_of};
pub use migration::{migrations_with, platform_migrations};
pub(crate) use postgres::listed;

/// Where the databases are.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `sqlite:<folder>` (a file for each service in that folder) or `postgres://user:password@host/database`, to which
    /// `?schema=<name>` may be added where the schema is not named as the service is.
    pub url: String,
    /// The largest number of PostgreSQL connections; SQLite has one writer and four readers whatever this says.
    pub connections_max: u32,
}

impl std::fmt::Debug for DatabaseSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may hold a password.
        let kind = self.url.split(':').next().unwrap_or_default();
        formatter
            .debug_struct("DatabaseSettings")
            .field("url", &format_args!("{kind}:[redacted]"))
            .field("connections_max", &self.connections_max)
            .finish()
    }
}

/// Commits a transaction. Every commit of data goes through here and has a name, so that a test can end the process right before
/// and right after each of them.
pub async fn commit(transaction: DatabaseTransaction, name: &'static str) -> Result<(), DbErr> {
    fail_points::around(name, transaction.commit()).await
}

/// One service's own database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    backend: DbBackend,
    /// The file of a SQLite database.
    file: Option<PathBuf>,
}

impl Database {
    /// Opens the database of a service and creates what is missing: the folder (mode 0700), the file (mode 0600), or
    /// the schema.
    pub async fn open(settings: &DatabaseSettings, service: Service) -> Result<Self, DatabaseError> {
        Self::open_named(settings, service.as_str()).await
    }

    /// Opens a database that belongs to no single service, such as the store of keys. The name becomes a file name or
    /// a schema name: lower-case letters, digits and `_` only.
    pub async fn open_named(settings: &DatabaseSettings, name: &str) -> Result<Self, DatabaseError> {
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            return Err(DatabaseError::Name { given: name.escape_default().take(40).collect() });
        }
        if let Some(folder) = settings.url.strip_prefix("sqlite:") {
            let file = Path::new(folder).join(format!("{name}.sqlite"));
            let (writer, reader) = sqlite::open(Path::new(folder), &file, name).await?;
            Ok(Self { writer, reader, backend: DbBackend::Sqlite, file: Some(file) })
        } else if settings.url.starts_with("postgres://") || settings.url.starts_with("postgresql://") {
            let pool = postgres::open(settings, name).await?;
            Ok(Self { writer: pool.clone(), reader: pool, backend: DbBackend::Postgres, file: None })
        } else {
            let scheme = settings.url.split(':').next().unwrap_or_default();
            Err(DatabaseError::Scheme { given: scheme.escape_default().take(20).collect() })
        }
    }

    /// Applies the migrations that are missing. Several replicas may do so at once: on PostgreSQL they take turns.
    pub async fn migrate<M: MigratorTrait>(&self) -> Result<(), DatabaseError> {
        let turn = match self.backend {
            DbBackend::Postgres => Some(postgres::turn_to_migrate(&self.writer).await?),
            _ => None,
        };
        M::up(&self.writer, None).await.map_err(|source| DatabaseError::Migrate { source })?;
        if let Some(turn) = turn {
            turn.commit().await.map_err(|source| DatabaseError::Migrate { source })?;
        }
        Ok(())
    }

    /// Begins a transaction that may write. On SQLite it is `IMMEDIATE` on the single writer, so callers queue in order
    /// and none fails halfway; keep it short. On PostgreSQL it is read committed.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        match self.backend {
            DbBackend::Sqlite => {
                let options = TransactionOptions {
                    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                    ..TransactionOptions::default()
                };
                self.writer.begin_with_options(options).await
            }
            _ => self.writer.begin().await,
        }
    }

    /// For reading outside a transaction; on SQLite these connections refuse to write.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For a single writing statement of the platform that is a transaction by itself.
    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Which of the two databases this is.
    pub fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.reader.query_one_raw(sea_orm::Statement::from_string(self.backend, "SELECT 1")).await.map(|_| ())
    }

    /// Writes a consistent copy of a SQLite database to a new file (mode 0600) while the service runs.
    pub async fn backup_to(&self, path: &Path) -> Result<(), DatabaseError> {
        match &self.file {
            Some(file) => sqlite::backup(file, path).await,
            None => Err(DatabaseError::BackupElsewhere),
        }
    }
}

//! SQLite: a file for each service, write-ahead log, every commit synced, one writer and four readers.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

use super::DatabaseError;

/// Readers beside the single writer.
const READERS: u32 = 4;
/// How long a statement waits for another process that holds the file, such as a backup tool.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller queues for a connection before it is told that the database is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens (and if needed creates) the file of `name` in `folder`: the writer, then the readers.
pub(super) async fn open(
    folder: &Path,
    path: &Path,
    name: &str,
) -> Result<(DatabaseConnection, DatabaseConnection), DatabaseError> {
    prepare(folder, path)?;
    let failed = |source| DatabaseError::Open { name: name.to_owned(), source };
    // The writer comes first: it turns the write-ahead log on.
    let writer = connect(path, 1, false).await.map_err(failed)?;
    let reader = connect(path, READERS, true).await.map_err(failed)?;
    Ok((writer, reader))
}

/// The write-ahead log and its index take the file's mode, so it has to be right before SQLite opens it.
fn prepare(folder: &Path, path: &Path) -> Result<(), DatabaseError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| DatabaseError::File { path, source }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed(path))?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed(path))
}

async fn connect(path: &Path, connections: u32, read_only: bool) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new("sqlite::memory:");
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
        .sqlx_logging(false);
    options.map_sqlx_sqlite_before_acquire(|connection, _| {
        // A full disk or a failing one makes SQLite end a transaction by itself; the driver's count of open transactions
        // then stays too high, and what is committed later would be committed only inside one that never ends. Such a
        // connection is closed and another one opened.
        Box::pin(std::future::ready(Ok(!connection.is_in_transaction())))
    });
    let path = PathBuf::from(path);
    options.map_sqlx_sqlite_opts(move |options| {
        let options = options
            .filename(&path)
            .in_memory(false)
            .shared_cache(false)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .statement_cache_capacity(512);
        if read_only { options.pragma("query_only", "ON") } else { options }
    });
    sea_orm::Database::connect(options).await
}

/// `VACUUM INTO` reads one snapshot and writes a compact copy, while writers go on.
pub(super) async fn backup(file: &Path, path: &Path) -> Result<(), DatabaseError> {
    let failed = |source| DatabaseError::Backup { path: path.to_owned(), source };
    let target = path.to_str().ok_or_else(|| failed(DbErr::Custom("the path is not UTF-8".to_owned())))?;
    if path.exists() {
        return Err(failed(DbErr::Custom("the file exists".to_owned())));
    }
    // SQLite fills an empty file that exists, so the mode is right from the first byte.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| DatabaseError::File { path: path.to_owned(), source })?;
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO $1", [target.into()]);
    // A connection of its own: the writer must not wait, and the readers refuse even this.
    let connection = connect(file, 1, false).await.map_err(failed)?;
    let written = connection.execute_raw(statement).await;
    connection.close().await.map_err(failed)?;
    written.map(|_| ()).map_err(failed)
}

//! Raw one-row commits of SQLite in WAL mode with a full sync: one writer, one kibibyte a row.

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::Result;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

/// Commits one row after the other for `time`, and returns commits a second.
pub(crate) async fn commits_per_second(folder: &Path, time: Duration) -> Result<f64> {
    let path = folder.join("floor.db");
    let options = SqliteConnectOptions::from_str(&format!("sqlite://{}", path.display()))?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, record BLOB NOT NULL)")
        .execute(&mut connection)
        .await?;
    let record = vec![7_u8; 1024];
    let started = Instant::now();
    let mut commits = 0_u32;
    while started.elapsed() < time {
        let insert = sqlx::query("INSERT INTO records (record) VALUES (?)").bind(record.as_slice());
        insert.execute(&mut connection).await?;
        commits += 1;
    }
    let rate = f64::from(commits) / started.elapsed().as_secs_f64();
    connection.close().await?;
    Ok(rate)
}

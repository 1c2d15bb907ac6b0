//! PostgreSQL by itself: rows of one kibibyte, each committed alone, over 32 connections.

use std::time::{Duration, Instant};

use anyhow::Result;
use sea_orm::{ConnectOptions, ConnectionTrait, DbBackend, Statement};
use tokio::task::JoinSet;

const CONNECTIONS: u32 = 32;

/// Commits for `time`, and returns commits a second.
pub(crate) async fn commits_per_second(url: &str, time: Duration) -> Result<f64> {
    let mut options = ConnectOptions::new(url.to_owned());
    options.max_connections(CONNECTIONS).min_connections(CONNECTIONS).sqlx_logging(false);
    let pool = sea_orm::Database::connect(options).await?;
    pool.execute_unprepared("CREATE TABLE records (id BIGSERIAL PRIMARY KEY, record BYTEA NOT NULL)").await?;
    let started = Instant::now();
    let mut writers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let pool = pool.clone();
        writers.spawn(async move {
            let mut commits = 0_u32;
            while started.elapsed() < time {
                let record = vec![7_u8; 1024];
                let sql = "INSERT INTO records (record) VALUES ($1)";
                pool.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [record.into()])).await?;
                commits += 1;
            }
            Ok::<u32, sea_orm::DbErr>(commits)
        });
    }
    let mut commits = 0;
    while let Some(written) = writers.join_next().await {
        commits += written??;
    }
    let rate = f64::from(commits) / started.elapsed().as_secs_f64();
    pool.execute_unprepared("DROP TABLE records").await?;
    pool.close().await?;
    Ok(rate)
}

//! What the processes of one service agree on through their database: the time, and whose turn it is.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

use crate::clock::{Clock, from_ms};

/// The time for whatever several processes decide by rows: leases, due times, what is old enough to go.
///
/// On PostgreSQL it is the server's, so that a process whose clock is wrong neither takes what another one holds nor ends
/// anything early. With SQLite there is one process, and it is that one's. The clock's own offset is added to both.
pub async fn agreed_now<C: ConnectionTrait>(connection: &C, clock: &Clock) -> Result<DateTime<Utc>, DbErr> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Ok(clock.now());
    }
    // Not `now()`, which stands still within a transaction.
    let sql = "SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT) AS now_ms";
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the database did not tell its time".to_owned()))?;
    Ok(from_ms(clock.shown(row.try_get("", "now_ms")?)))
}

/// Waits until no other process's transaction has the turn of this name, and keeps others waiting until this one ends.
/// Transactions that read, decide and write without a common row would otherwise not see each other.
pub async fn take_turn(transaction: &DatabaseTransaction, name: &str) -> Result<(), DbErr> {
    // The one writer of SQLite serialises everything.
    if transaction.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [name.into()]);
    transaction.execute_raw(statement).await.map(|_| ())
}

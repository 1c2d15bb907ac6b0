//! PostgreSQL: one pool, a schema for each service, found through the search path.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement, TransactionTrait,
};

use super::{DatabaseError, DatabaseSettings};

/// How long a caller queues for a connection before it is told that the database is busy or away. A server that is away
/// makes everybody wait this long, and a call may ask two databases, so it is short.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was idle for this long is tried before it is handed out.
const IDLE_CHECK: Duration = Duration::from_secs(20);
/// What PostgreSQL is told about a client that stands still or is cut off in a transaction: after these times it ends the
/// session, so that nobody waits for its locks. A handler of an event has 20 s; a silent cut shows after 25 s.
const SESSION: [(&str, &str); 5] = [
    ("idle_in_transaction_session_timeout", "30s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "25s"),
];
/// Marks our turn among replicas that start together; any number serves, as long as it stays.
const MIGRATION_LOCK: i64 = 0x0070_6373_6974_636f;

/// Opens the pool and creates the schema if it is missing.
pub(super) async fn open(settings: &DatabaseSettings, name: &str) -> Result<DatabaseConnection, DatabaseError> {
    let (url, schema) = split_schema(&settings.url);
    let schema = schema.unwrap_or_else(|| name.to_owned());
    if !schema.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(DatabaseError::Name { given: schema.escape_default().take(40).collect() });
    }
    let failed = |source| DatabaseError::Open { name: name.to_owned(), source };
    let mut options = ConnectOptions::new(url.replacen("postgresql://", "postgres://", 1));
    options
        // Migrating takes two: one holds the turn, the other works.
        .max_connections(settings.connections_max.max(2))
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire_if_idle_for(IDLE_CHECK)
        .set_schema_search_path(schema.clone())
        .set_application_name(format!("tocsin {name}"))
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|options| options.options(SESSION));
    let pool = sea_orm::Database::connect(options).await.map_err(failed)?;
    create_schema(&pool, &schema).await.map_err(failed)?;
    Ok(pool)
}

/// A role without the right to create schemas is fine where an operator made the schema beforehand.
async fn create_schema(pool: &DatabaseConnection, schema: &str) -> Result<(), sea_orm::DbErr> {
    let known = || {
        let sql = "SELECT 1 FROM information_schema.schemata WHERE schema_name = $1";
        pool.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [schema.into()]))
    };
    if known().await?.is_some() {
        return Ok(());
    }
    match pool.execute_unprepared(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"")).await {
        Ok(_) => Ok(()),
        // Another replica may have been quicker.
        Err(error) => known().await?.map(|_| ()).ok_or(error),
    }
}

/// A transaction that holds the lock under which migrations are applied; committing it ends the turn.
pub(super) async fn turn_to_migrate(pool: &DatabaseConnection) -> Result<DatabaseTransaction, DatabaseError> {
    let failed = |source| DatabaseError::Migrate { source };
    let transaction = pool.begin().await.map_err(failed)?;
    // Two databases of one server have separate locks; two schemas of one database wait for each other, briefly.
    let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
    transaction.execute_unprepared(&lock).await.map_err(failed)?;
    // The turn lasts as long as the migrations do, on another connection.
    transaction.execute_unprepared("SET LOCAL idle_in_transaction_session_timeout = 0").await.map_err(failed)?;
    Ok(transaction)
}

/// Numbers or ids as one text, which PostgreSQL takes apart again: a statement is then the same for every number of them.
pub(crate) fn listed<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing into a text cannot fail.
        let _ = write!(text, "{comma}{item}");
    }
    text
}

/// Takes our own parameter `schema` out of the address, which the driver does not know.
fn split_schema(url: &str) -> (String, Option<String>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut schema = None;
    let mut rest = Vec::new();
    for pair in query.split('&') {
        match pair.strip_prefix("schema=") {
            Some(name) => schema = Some(name.to_owned()),
            None if pair.is_empty() => {}
            None => rest.push(pair),
        }
    }
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    (url, schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_taken_out_of_the_address() {
        let check = |url: &str, rest: &str, schema: Option<&str>| {
            assert_eq!(split_schema(url), (rest.to_owned(), schema.map(str::to_owned)));
        };
        check("postgres://a@h/d", "postgres://a@h/d", None);
        check("postgres://a@h/d?schema=x", "postgres://a@h/d", Some("x"));
        check("postgres://a@h/d?sslmode=require&schema=x", "postgres://a@h/d?sslmode=require", Some("x"));
    }
}

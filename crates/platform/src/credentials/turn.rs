//! Who brings the store's table up to date: the role that may create in its schema. The roles of the other services may
//! only read there, and wait until it was done.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};
use sea_orm_migration::MigratorTrait;
use tracing::{info, warn};

use super::migration::Migrator;
use crate::database::{Database, DatabaseError};

/// How often a reader looks whether the table is there.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// After how many looks it says again that it waits: every 30 s.
const LOOKS_BETWEEN_WORDS: u32 = 120;

/// Applies what is missing; `false` when this role may only read.
pub(super) async fn migrate(database: &Database) -> Result<bool, DatabaseError> {
    if !may_create(database).await.map_err(|source| DatabaseError::Migrate { source })? {
        return Ok(false);
    }
    database.migrate::<Migrator>().await?;
    Ok(true)
}

/// Waits until another role has applied the newest migration. Whoever calls this ends it by dropping it.
pub(super) async fn wait(database: &Database) -> Result<(), DatabaseError> {
    let mut looks = 0u32;
    while !is_up_to_date(database).await.map_err(|source| DatabaseError::Migrate { source })? {
        if looks.is_multiple_of(LOOKS_BETWEEN_WORDS) {
            warn!("the store of keys has not been made yet: this role may only read it, so triage has to start first");
        }
        looks = looks.wrapping_add(1);
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    if looks > 0 {
        info!("the store of keys is there");
    }
    Ok(())
}

async fn may_create(database: &Database) -> Result<bool, DbErr> {
    if database.backend() != DbBackend::Postgres {
        return Ok(true);
    }
    ask(database, "SELECT has_schema_privilege(current_schema(), 'CREATE') AS answer", []).await
}

async fn is_up_to_date(database: &Database) -> Result<bool, DbErr> {
    let known = ask(database, "SELECT to_regclass('seaql_migrations') IS NOT NULL AS answer", []).await?;
    let Some(newest) = Migrator::migrations().last().map(|migration| migration.name().to_owned()) else {
        return Ok(known);
    };
    let applied = "SELECT EXISTS (SELECT 1 FROM seaql_migrations WHERE version = $1) AS answer";
    Ok(known && ask(database, applied, [newest.into()]).await?)
}

async fn ask<const COUNT: usize>(database: &Database, sql: &str, values: [Value; COUNT]) -> Result<bool, DbErr> {
    let statement = Statement::from_sql_and_values(database.backend(), sql, values);
    match database.reader().query_one_raw(statement).await? {
        // Where no schema of the search path may be used, there is no answer but NULL.
        Some(row) => Ok(row.try_get::<Option<bool>>("", "answer")?.unwrap_or_default()),
        None => Ok(false),
    }
}

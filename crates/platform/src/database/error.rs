//! What can go wrong with a database, and whether it is worth trying again.

use std::path::PathBuf;

use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// Why a database could not be opened, migrated or copied.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The address names no known kind of database.
    #[error("the database url begins with `{given}:`: use sqlite:<folder> or postgres://user:password@host/database")]
    Scheme {
        /// The scheme that was given.
        given: String,
    },
    /// A database or schema name that cannot be used.
    #[error("`{given}` cannot name a database: use lower-case letters, digits and _")]
    Name {
        /// The name that was given.
        given: String,
    },
    /// A folder or file could not be created with the right permissions.
    #[error("{path} could not be prepared: check that this user may write there and that the disk has room")]
    File {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database did not open.
    #[error("the database of `{name}` did not open: check that it runs, and the address, user and password")]
    Open {
        /// The service or store.
        name: String,
        /// What the database said.
        source: DbErr,
    },
    /// The migrations did not apply.
    #[error(
        "the migrations did not apply: the database may come from a newer release, or the role may not create tables"
    )]
    Migrate {
        /// What the database said.
        source: DbErr,
    },
    /// The copy was not written.
    #[error("the copy was not written to {path}: the file must not exist yet, and its folder must")]
    Backup {
        /// Where it should have gone.
        path: PathBuf,
        /// What the database said.
        source: DbErr,
    },
    /// PostgreSQL has better tools of its own.
    #[error("a PostgreSQL database is not copied from here: use pg_dump")]
    BackupElsewhere,
}

/// Whether the database is busy or away, so that the same call may succeed later: callers answer UNAVAILABLE, and
/// consumers pause instead of counting an attempt.
pub fn is_busy_or_away(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        _ => drivers(error).is_some_and(|error| {
            // The connection broke between the statements of one transaction, or while it was being secured.
            is_passing(error) || matches!(error, SqlxError::Tls(_) | SqlxError::BeginFailed)
        }),
    }
}

/// Whether the database is not there, as before its server has started. Stricter than [`is_busy_or_away`], because a start
/// waits for what is absent but must fail at what is wrong: a password, a role, a database that nobody has made.
pub(crate) fn is_absent(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) => true,
        DbErr::Conn(RuntimeErr::SqlxError(error)) => is_passing(error),
        _ => drivers(error).is_some_and(is_passing),
    }
}

/// What the driver said of a statement.
fn drivers(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error.as_ref()),
        _ => None,
    }
}

/// Whether it passes by itself or by an operator's hand.
fn is_passing(error: &SqlxError) -> bool {
    match error {
        SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed | SqlxError::WorkerCrashed => true,
        SqlxError::Database(error) => error.code().is_some_and(|code| is_passing_code(&code)),
        _ => false,
    }
}

/// The kind of a database error without any value in it.
pub(crate) fn kind_of(error: &DbErr) -> &'static str {
    match error {
        DbErr::ConnectionAcquire(_) => "connection_acquire",
        DbErr::Conn(_) => "connection",
        DbErr::Exec(_) => "execution",
        DbErr::Query(_) => "query",
        DbErr::RecordNotFound(_) => "record_not_found",
        DbErr::RecordNotInserted => "record_not_inserted",
        DbErr::RecordNotUpdated => "record_not_updated",
        DbErr::Type(_) | DbErr::TryIntoErr { .. } | DbErr::ConvertFromU64(_) | DbErr::Json(_) => "conversion",
        DbErr::Migration(_) => "migration",
        _ => "other",
    }
}

/// What a table or a log may keep of a database error: its kind and the database's own code, never its text, which may
/// quote values.
pub(crate) fn in_short(error: &DbErr) -> String {
    let kind = kind_of(error);
    let code =
        drivers(error).and_then(SqlxError::as_database_error).and_then(sea_orm::sqlx::error::DatabaseError::code);
    match code {
        Some(code) => format!("a database statement failed: {kind}, code {code}"),
        None => format!("a database statement failed: {kind}"),
    }
}

/// SQLite's numbers of results and PostgreSQL's states that pass by themselves or by an operator's hand.
fn is_passing_code(code: &str) -> bool {
    if code.len() == 5 {
        // Connection exception, insufficient resources, operator intervention; serialisation failure, deadlock,
        // lock not available; a server that became read-only while it hands over; a session that was ended because it stood
        // still within a transaction, as in a process that was paused.
        return code.starts_with("08")
            || code.starts_with("53")
            || code.starts_with("57")
            || code.starts_with("58")
            || matches!(code, "40001" | "40P01" | "55P03" | "25006" | "25P03");
    }
    // SQLite: BUSY 5, LOCKED 6, NOMEM 7, IOERR 10, FULL 13, CANTOPEN 14; the extended codes keep it in the low byte.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 7 | 10 | 13 | 14))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_is_wrong() {
        // SQLite: busy, locked, input or output failed (also when reading or syncing), full. PostgreSQL: connection lost,
        // disk full, too many connections, shut down by an operator, crashed, starting up, deadlock, serialisation, ended
        // because the session stood still.
        let passing = [
            "5", "6", "10", "266", "1034", "13", "517", "08006", "53100", "53300", "57P01", "57P02", "57P03", "40P01",
            "40001", "25P03",
        ];
        for code in passing {
            assert!(is_passing_code(code), "{code}");
        }
        for code in ["1", "19", "2067", "23505", "42P01", "22001"] {
            assert!(!is_passing_code(code), "{code}");
        }
        assert!(is_busy_or_away(&DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout)));
        for kind in [std::io::ErrorKind::BrokenPipe, std::io::ErrorKind::ConnectionRefused] {
            let error = RuntimeErr::SqlxError(std::sync::Arc::new(SqlxError::Io(kind.into())));
            assert!(is_busy_or_away(&DbErr::Query(error.clone())) && is_busy_or_away(&DbErr::Exec(error)), "{kind}");
        }
        let timed_out = RuntimeErr::SqlxError(std::sync::Arc::new(SqlxError::PoolTimedOut));
        assert!(is_busy_or_away(&DbErr::Exec(timed_out)));
        assert!(!is_busy_or_away(&DbErr::RecordNotFound("x".to_owned())));
        let refused = |error| DbErr::Conn(RuntimeErr::SqlxError(std::sync::Arc::new(error)));
        assert!(is_absent(&refused(SqlxError::PoolTimedOut)));
        assert!(is_absent(&refused(SqlxError::Io(std::io::ErrorKind::ConnectionRefused.into()))));
        assert!(!is_absent(&refused(SqlxError::Configuration("x".into()))));
        assert!(!is_absent(&refused(SqlxError::Tls("x".into()))));
    }
}

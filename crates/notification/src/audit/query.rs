//! What the auditor asks the database, by an index that holds nothing but what must be explained.

use sea_orm::{ConnectionTrait, DbErr, Statement};
use uuid::Uuid;

use crate::migration::UNEXPLAINED;

/// Rows of one answer.
pub(crate) const ROWS_MAX: usize = 500;

/// A notice that nobody explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Adrift {
    pub(crate) notice_id: Uuid,
    pub(crate) channel: String,
    pub(crate) state: String,
}

/// Those that are not handed over, and so await no receipt either.
pub(crate) fn adrift_sql() -> String {
    format!(
        "SELECT notice_id, channel, state FROM notices WHERE {UNEXPLAINED} \
         AND state NOT IN ('handed_to_gateway', 'accepted') ORDER BY changed_at_ms LIMIT {ROWS_MAX}"
    )
}

/// Those that await a receipt since a time or longer.
pub(crate) fn overdue_sql() -> String {
    format!(
        "SELECT notice_id FROM notices WHERE {UNEXPLAINED} AND state IN ('handed_to_gateway', 'accepted') \
         AND changed_at_ms <= $1 ORDER BY changed_at_ms LIMIT {ROWS_MAX}"
    )
}

/// Notices that are neither moving nor explained.
pub(crate) async fn adrift<C: ConnectionTrait>(connection: &C) -> Result<Vec<Adrift>, DbErr> {
    let statement = Statement::from_string(connection.get_database_backend(), adrift_sql());
    let rows = connection.query_all_raw(statement).await?;
    let read = |row: sea_orm::QueryResult| {
        Ok(Adrift {
            notice_id: row.try_get("", "notice_id")?,
            channel: row.try_get("", "channel")?,
            state: row.try_get("", "state")?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Notices that await a receipt since `since_ms` or longer.
pub(crate) async fn overdue<C: ConnectionTrait>(connection: &C, since_ms: i64) -> Result<Vec<Uuid>, DbErr> {
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, overdue_sql(), [since_ms.into()]);
    let rows = connection.query_all_raw(statement).await?;
    rows.into_iter().map(|row| row.try_get("", "notice_id")).collect()
}

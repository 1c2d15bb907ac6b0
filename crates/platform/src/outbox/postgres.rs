//! The busiest statements in PostgreSQL's own words. A list travels as one text, so that a statement is the same for every
//! number of rows: PostgreSQL then plans it once a connection, and not once for each number.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use uuid::Uuid;

use crate::bus::Claim;
use crate::database::listed;

const MARK_PUBLISHED: &str = "UPDATE outbox_owed AS owed
    SET published_at_ms = $1, broker_epoch = $2, broker_sequence = place.sequence
    FROM unnest(string_to_array($3, ',')::bigint[], string_to_array($4, ',')::bigint[]) AS place (seq, sequence)
    WHERE owed.seq = place.seq";

const SETTLE: &str = "DELETE FROM outbox_owed
    WHERE event_id = ANY (string_to_array($2, ',')::uuid[]) AND consumer = $1";

/// Marks rows as published, all in the same incarnation of the stream.
pub(super) async fn mark_published<C: ConnectionTrait>(
    connection: &C,
    published: &[(i64, Claim)],
    epoch: i64,
    now_ms: i64,
) -> Result<(), DbErr> {
    let numbers = listed(published.iter().map(|(seq, _)| *seq));
    let places = listed(published.iter().map(|(_, claim)| claim.sequence));
    let values = [now_ms.into(), epoch.into(), numbers.into(), places.into()];
    let mark = Statement::from_sql_and_values(DbBackend::Postgres, MARK_PUBLISHED, values);
    connection.execute_raw(mark).await.map(|_| ())
}

/// Deletes what one consumer has settled, and returns how many rows went.
pub(super) async fn settle<C: ConnectionTrait>(connection: &C, consumer: &str, events: &[Uuid]) -> Result<u64, DbErr> {
    let values = [consumer.into(), listed(events).into()];
    let delete = Statement::from_sql_and_values(DbBackend::Postgres, SETTLE, values);
    Ok(connection.execute_raw(delete).await?.rows_affected())
}

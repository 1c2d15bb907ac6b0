//! Events that wait because the broker takes no message of their size. They keep nothing else waiting, and leave by
//! themselves when the broker's setting was changed.

use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, FromQueryResult};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::kind_named;
use uuid::Uuid;

use super::entity::{event, owed};
use super::lane_from_number;
use crate::bus::{Envelope, message_bytes};
use crate::clock::from_ms;

/// The most events in one list.
const LISTED_MAX: u64 = 100;
/// No event of ours has longer headers: a payload that leaves the broker this much room is never too large.
const HEADERS_BYTES_MAX: u64 = 8 * 1024;

/// One event that is larger than the broker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLargeEvent {
    /// The event.
    pub event_id: EventId,
    /// The name of its kind in the catalogue.
    pub kind: String,
    /// The size of the whole message, to which the broker's `max_payload` has to be raised at least.
    pub bytes: u64,
}

#[derive(Debug, FromQueryResult)]
struct Row {
    event_id: Uuid,
    kind: String,
    lane: i16,
    aggregate: String,
    version: i64,
    at_ms: i64,
    traceparent: Option<String>,
    payload_bytes: i64,
}

/// Events that are owed, stand in no stream, and are larger than the limit; the oldest first.
pub(super) async fn list<C: ConnectionTrait>(connection: &C, limit: u64) -> Result<Vec<TooLargeEvent>, DbErr> {
    let suspicious = i64::try_from(limit.saturating_sub(HEADERS_BYTES_MAX)).unwrap_or(i64::MAX);
    let waiting = Query::select()
        .column(owed::Column::EventId)
        .from(owed::Entity)
        .and_where(owed::Column::BrokerEpoch.is_null())
        .to_owned();
    let mut select = Query::select();
    for column in [
        event::Column::EventId,
        event::Column::Kind,
        event::Column::Lane,
        event::Column::Aggregate,
        event::Column::Version,
        event::Column::AtMs,
        event::Column::Traceparent,
    ] {
        select.column(column);
    }
    select
        // PostgreSQL counts in 32 bits, SQLite in 64.
        .expr_as(Expr::cust("CAST(LENGTH(payload) AS BIGINT)"), "payload_bytes")
        .from(event::Entity)
        .and_where(event::Column::EventId.in_subquery(waiting))
        .and_where(Expr::cust("LENGTH(payload)").gt(suspicious))
        .order_by(event::Column::EventId, Order::Asc)
        .limit(LISTED_MAX);
    let rows = connection.query_all(&select).await?;
    let rows: Result<Vec<Row>, DbErr> = rows.iter().map(|row| Row::from_query_result(row, "")).collect();
    Ok(rows?.into_iter().filter_map(measured).filter(|event| event.bytes > limit).collect())
}

fn measured(row: Row) -> Option<TooLargeEvent> {
    let envelope = Envelope {
        id: EventId::from_uuid(row.event_id),
        kind: kind_named(&row.kind)?,
        lane: lane_from_number(row.lane),
        aggregate: row.aggregate,
        version: row.version,
        at: from_ms(row.at_ms),
        payload: bytes::Bytes::new(),
        traceparent: row.traceparent,
    };
    let bytes = message_bytes(&envelope, usize::try_from(row.payload_bytes).unwrap_or(usize::MAX));
    Some(TooLargeEvent { event_id: envelope.id, kind: row.kind, bytes })
}

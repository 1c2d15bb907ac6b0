//! Dead letters are custody: an event whose handling failed for its own fault is kept whole in a table, committed
//! before it is settled. Later copies change nothing; a person mends the cause and has it run again from here.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::Service;
use uuid::Uuid;

use super::entity::dead_letter;
use super::{IncomingEvent, inbox};
use crate::clock::to_ms;
use crate::database::Database;
use crate::outbox::lane_number;
use crate::pages::SIZE_MAX;

/// A longer fault is cut.
const FAULT_CHARS_MAX: usize = 500;

/// A dead letter as an operator sees it: without its payload.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct DeadLetter {
    /// The event's id, by which it is redriven.
    pub event_id: Uuid,
    /// The name of its kind in the catalogue.
    pub kind: String,
    /// The opaque id of what changed.
    pub aggregate: String,
    /// The version of what changed.
    pub version: i64,
    /// How often it was tried.
    pub attempts: i32,
    /// Why the last attempt failed.
    pub fault: String,
    /// When it was given up, in milliseconds since the epoch.
    pub died_at_ms: i64,
    /// When somebody asked for it to run again, if it has not run since.
    pub redrive_at_ms: Option<i64>,
}

/// Which part of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The last event of the page before, or nothing for the first page.
    pub after: Option<EventId>,
    /// How many rows, at most 200.
    pub size: u64,
}

/// The dead letters of this database, the oldest event first.
pub async fn list<C: ConnectionTrait>(connection: &C, page: Page) -> Result<Vec<DeadLetter>, DbErr> {
    let mut select = dead_letter::Entity::find().order_by_asc(dead_letter::Column::EventId);
    if let Some(after) = page.after {
        select = select.filter(dead_letter::Column::EventId.gt(after.as_uuid()));
    }
    select.limit(page.size.clamp(1, SIZE_MAX.into())).into_model::<DeadLetter>().all(connection).await
}

/// How many there are.
pub async fn count<C: ConnectionTrait>(connection: &C) -> Result<u64, DbErr> {
    dead_letter::Entity::find().count(connection).await
}

/// Which dead letters are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// The one of this event.
    Event(EventId),
    /// All of this kind, as `report.received`.
    Kind(&'a str),
    /// All there are.
    All,
}

/// Asks the consumer to run dead letters again, which it does within about a second: if one succeeds its row goes in the
/// same transaction, if it fails the row says why. Returns how many there are.
pub async fn redrive<C: ConnectionTrait>(connection: &C, which: Which<'_>, now_ms: i64) -> Result<u64, DbErr> {
    let ask = dead_letter::Entity::update_many().col_expr(dead_letter::Column::RedriveAtMs, Expr::value(now_ms));
    let ask = match which {
        Which::Event(event) => ask.filter(dead_letter::Column::EventId.eq(event.as_uuid())),
        Which::Kind(kind) => ask.filter(dead_letter::Column::Kind.eq(kind)),
        Which::All => ask,
    };
    Ok(ask.exec(connection).await?.rows_affected)
}

/// Takes an event into custody, with its inbox row, so that later copies are known.
pub(super) async fn bury(
    database: &Database,
    consumer: Service,
    event: &IncomingEvent,
    fault: &str,
    now_ms: i64,
) -> Result<(), DbErr> {
    let transaction = database.begin().await?;
    if inbox::enter(&transaction, consumer, event.id, now_ms).await? {
        let row = dead_letter::ActiveModel {
            consumer: ActiveValue::Set(consumer.to_string()),
            event_id: ActiveValue::Set(event.id.as_uuid()),
            kind: ActiveValue::Set(event.kind.name.to_owned()),
            lane: ActiveValue::Set(lane_number(event.lane)),
            aggregate: ActiveValue::Set(event.aggregate.clone()),
            version: ActiveValue::Set(event.version),
            at_ms: ActiveValue::Set(to_ms(event.at)),
            payload: ActiveValue::Set(event.payload.to_vec()),
            traceparent: ActiveValue::Set(event.traceparent.clone()),
            attempts: ActiveValue::Set(i32::try_from(event.attempt).unwrap_or(i32::MAX)),
            fault: ActiveValue::Set(cut(fault)),
            died_at_ms: ActiveValue::Set(now_ms),
            redrive_at_ms: ActiveValue::Set(None),
        };
        let key = OnConflict::columns([dead_letter::Column::Consumer, dead_letter::Column::EventId])
            .update_columns([dead_letter::Column::Fault, dead_letter::Column::DiedAtMs])
            .to_owned();
        dead_letter::Entity::insert(row).on_conflict(key).exec_without_returning(&transaction).await?;
    }
    crate::database::commit(transaction, "consume.bury").await
}

/// A fault as the table keeps it.
pub(super) fn cut(fault: &str) -> String {
    fault.chars().take(FAULT_CHARS_MAX).collect()
}

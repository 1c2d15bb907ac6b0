//! The outbox's statements, each over a whole set of rows.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, OnConflict, Order, Query, SelectStatement};
use sea_orm::{
    ActiveValue, ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter,
    Statement,
};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::{Lane, Service, produced_by};
use uuid::Uuid;

use super::OutgoingEvent;
use super::entity::{event, owed};
use super::{lane_number, postgres};
use crate::bus::{Claim, Settlement};
use crate::clock::to_ms;
use crate::database::Database;

/// Rows in one statement: ten columns times this stays below every limit on bound values.
const ROWS_MAX: usize = 1_000;

/// Inserts events, and one owed row for each consumer.
pub(super) async fn record<C>(connection: &C, events: &[OutgoingEvent], now_ms: i64) -> Result<(), DbErr>
where
    C: ConnectionTrait,
{
    for events in events.chunks(ROWS_MAX) {
        let rows = events.iter().map(|outgoing| event::ActiveModel {
            event_id: ActiveValue::Set(outgoing.id.as_uuid()),
            kind: ActiveValue::Set(outgoing.kind.name.to_owned()),
            lane: ActiveValue::Set(lane_number(outgoing.lane)),
            aggregate: ActiveValue::Set(outgoing.aggregate.clone()),
            version: ActiveValue::Set(outgoing.version),
            at_ms: ActiveValue::Set(to_ms(outgoing.at)),
            payload: ActiveValue::Set(outgoing.payload.clone()),
            traceparent: ActiveValue::Set(outgoing.traceparent.clone()),
            settled_late_at_ms: ActiveValue::Set(None),
        });
        event::Entity::insert_many(rows).exec_without_returning(connection).await?;
        let pairs = events.iter().flat_map(|outgoing| outgoing.kind.consumers.iter().map(move |to| (outgoing, *to)));
        let rows = pairs.map(|(outgoing, consumer)| owed_row(outgoing.id.as_uuid(), consumer, outgoing.lane, now_ms));
        owed::Entity::insert_many(rows).exec_without_returning(connection).await?;
    }
    Ok(())
}

fn owed_row(event_id: Uuid, consumer: Service, lane: Lane, now_ms: i64) -> owed::ActiveModel {
    owed::ActiveModel {
        seq: ActiveValue::NotSet,
        event_id: ActiveValue::Set(event_id),
        consumer: ActiveValue::Set(consumer.to_string()),
        lane: ActiveValue::Set(lane_number(lane)),
        recorded_at_ms: ActiveValue::Set(now_ms),
        published_at_ms: ActiveValue::Set(None),
        generation: ActiveValue::Set(0),
        broker_epoch: ActiveValue::Set(None),
        broker_sequence: ActiveValue::Set(None),
    }
}

/// An owed row with its event.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct OwedEvent {
    pub(super) seq: i64,
    pub(super) consumer: String,
    pub(super) generation: i64,
    pub(super) event_id: Uuid,
    pub(super) kind: String,
    pub(super) lane: i16,
    pub(super) aggregate: String,
    pub(super) version: i64,
    pub(super) at_ms: i64,
    pub(super) payload: Vec<u8>,
    pub(super) traceparent: Option<String>,
}

/// What still has to be published and stands after `after`, the urgent lane first, without the pairs of consumer and
/// lane that are full. On PostgreSQL the rows are locked and rows that another replica has locked are left out.
pub(super) async fn unpublished<C: ConnectionTrait>(
    connection: &C,
    after: i64,
    full: &[(String, i16)],
    limit: u64,
) -> Result<Vec<OwedEvent>, DbErr> {
    let mut select: SelectStatement = Query::select();
    for column in [owed::Column::Seq, owed::Column::Consumer, owed::Column::Generation, owed::Column::Lane] {
        select.column((owed::Entity, column));
    }
    for column in [
        event::Column::EventId,
        event::Column::Kind,
        event::Column::Aggregate,
        event::Column::Version,
        event::Column::AtMs,
        event::Column::Payload,
        event::Column::Traceparent,
    ] {
        select.column((event::Entity, column));
    }
    let same_event = Expr::col((event::Entity, event::Column::EventId)).equals((owed::Entity, owed::Column::EventId));
    select
        .from(owed::Entity)
        .inner_join(event::Entity, same_event)
        .and_where(Expr::col((owed::Entity, owed::Column::PublishedAtMs)).is_null())
        .order_by((owed::Entity, owed::Column::Lane), Order::Asc)
        .order_by((owed::Entity, owed::Column::Seq), Order::Asc)
        .limit(limit)
        // SQLite has one process and no such locks; there the clause is left out.
        .lock_with_tables_behavior(LockType::Update, [owed::Entity], LockBehavior::SkipLocked);
    if after > 0 {
        select.and_where(Expr::col((owed::Entity, owed::Column::Seq)).gt(after));
    }
    for (consumer, lane) in full {
        let this = Condition::all()
            .add(Expr::col((owed::Entity, owed::Column::Consumer)).eq(consumer.as_str()))
            .add(Expr::col((owed::Entity, owed::Column::Lane)).eq(*lane));
        select.cond_where(this.not());
    }
    let rows = connection.query_all(&select).await?;
    rows.iter().map(|row| OwedEvent::from_query_result(row, "")).collect()
}

/// Marks rows as published, in one statement. Rows that were settled meanwhile are gone and stay gone.
pub(super) async fn mark_published<C: ConnectionTrait>(
    connection: &C,
    published: &[(i64, Claim)],
    now_ms: i64,
) -> Result<(), DbErr> {
    let Some((_, first)) = published.first() else { return Ok(()) };
    if connection.get_database_backend() == DbBackend::Postgres {
        return postgres::mark_published(connection, published, first.epoch, now_ms).await;
    }
    let numbers = published.iter().map(|(seq, _)| *seq);
    let mut update = owed::Entity::update_many()
        .col_expr(owed::Column::PublishedAtMs, Expr::value(now_ms))
        .col_expr(owed::Column::BrokerEpoch, Expr::value(first.epoch));
    // A broker without places gives zero to all; otherwise each row has its own, chosen by its number.
    let sequence = if published.iter().all(|(_, claim)| claim.sequence == first.sequence) {
        Expr::value(first.sequence)
    } else {
        let mut choice = sea_orm::sea_query::CaseStatement::new();
        for (seq, claim) in published {
            choice = choice.case(owed::Column::Seq.eq(*seq), Expr::value(claim.sequence));
        }
        choice.into()
    };
    update = update.col_expr(owed::Column::BrokerSequence, sequence);
    update.filter(owed::Column::Seq.is_in(numbers)).exec(connection).await.map(|_| ())
}

/// Marks rows that the broker does not take because of their size: with no place in any stream, so that the review has
/// them tried again, and does not keep others waiting meanwhile.
pub(super) async fn mark_too_large<C: ConnectionTrait>(
    connection: &C,
    numbers: &[i64],
    now_ms: i64,
) -> Result<(), DbErr> {
    if numbers.is_empty() {
        return Ok(());
    }
    owed::Entity::update_many()
        .col_expr(owed::Column::PublishedAtMs, Expr::value(now_ms))
        .col_expr(owed::Column::BrokerEpoch, Expr::value(None::<i64>))
        .col_expr(owed::Column::BrokerSequence, Expr::value(None::<i64>))
        .filter(owed::Column::Seq.is_in(numbers.iter().copied()))
        .exec(connection)
        .await
        .map(|_| ())
}

/// Deletes what consumers have settled, one statement for each consumer. Returns how many rows went.
pub(super) async fn settle<C: ConnectionTrait>(connection: &C, settlements: &[Settlement]) -> Result<u64, DbErr> {
    let mut deleted = 0;
    for consumer in Service::ALL {
        let mine = settlements.iter().filter(|settlement| settlement.consumer == consumer);
        let events: Vec<Uuid> = mine.map(|settlement| settlement.event_id.as_uuid()).collect();
        if events.is_empty() {
            continue;
        }
        if connection.get_database_backend() == DbBackend::Postgres {
            deleted += postgres::settle(connection, consumer.as_str(), &events).await?;
            continue;
        }
        let delete = owed::Entity::delete_many()
            .filter(owed::Column::Consumer.eq(consumer.as_str()))
            .filter(owed::Column::EventId.is_in(events));
        deleted += delete.exec(connection).await?.rows_affected;
    }
    Ok(deleted)
}

/// Notes that these events were settled long after they were recorded, so that they stay their full time from now.
pub(super) async fn note_late<C: ConnectionTrait>(connection: &C, events: &[Uuid], now_ms: i64) -> Result<(), DbErr> {
    event::Entity::update_many()
        .col_expr(event::Column::SettledLateAtMs, Expr::value(now_ms))
        .filter(event::Column::EventId.is_in(events.iter().copied()))
        .exec(connection)
        .await
        .map(|_| ())
}

/// How many rows are owed, and when the oldest was recorded.
pub(super) async fn lag<C: ConnectionTrait>(connection: &C) -> Result<(u64, Option<i64>), DbErr> {
    let sql = "SELECT COUNT(*) AS owed, MIN(recorded_at_ms) AS oldest FROM outbox_owed";
    let row = connection.query_one_raw(Statement::from_string(connection.get_database_backend(), sql)).await?;
    let Some(row) = row else { return Ok((0, None)) };
    let owed: i64 = row.try_get("", "owed")?;
    Ok((u64::try_from(owed).unwrap_or(0), row.try_get("", "oldest")?))
}

/// The same by consumer: its name, how many rows, and when the oldest was recorded.
pub(super) async fn lag_by_consumer<C: ConnectionTrait>(connection: &C) -> Result<Vec<(String, u64, i64)>, DbErr> {
    let sql = "SELECT consumer, COUNT(*) AS owed, MIN(recorded_at_ms) AS oldest FROM outbox_owed
        GROUP BY consumer ORDER BY consumer";
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await?;
    let read = |row: sea_orm::QueryResult| {
        let owed: i64 = row.try_get("", "owed")?;
        Ok((row.try_get("", "consumer")?, u64::try_from(owed).unwrap_or(0), row.try_get("", "oldest")?))
    };
    rows.into_iter().map(read).collect()
}

/// Owes every event since then to all its consumers again.
pub(super) async fn owe_again(
    database: &Database,
    service: Service,
    since: DateTime<Utc>,
    now_ms: i64,
) -> Result<u64, DbErr> {
    let transaction = database.begin().await?;
    let mut rows = 0;
    for kind in produced_by(service) {
        for consumer in kind.consumers {
            let select = Query::select()
                .column(event::Column::EventId)
                .expr(Expr::value(consumer.as_str()))
                .column(event::Column::Lane)
                .expr(Expr::value(now_ms))
                // A generation that was never used: the broker would take another for a copy.
                .expr(Expr::value(now_ms))
                .from(event::Entity)
                .and_where(event::Column::Kind.eq(kind.name))
                .and_where(event::Column::EventId.gte(first_id_at(since)))
                .order_by(event::Column::EventId, Order::Asc)
                .to_owned();
            let mut insert = Query::insert();
            insert
                .into_table(owed::Entity)
                .columns([
                    owed::Column::EventId,
                    owed::Column::Consumer,
                    owed::Column::Lane,
                    owed::Column::RecordedAtMs,
                    owed::Column::Generation,
                ])
                .on_conflict(
                    OnConflict::columns([owed::Column::EventId, owed::Column::Consumer]).do_nothing().to_owned(),
                );
            insert.select_from(select).map_err(|error| DbErr::Custom(error.to_string()))?;
            rows += transaction.execute(&insert).await?.rows_affected();
        }
    }
    crate::database::commit(transaction, "outbox.owe_again").await?;
    Ok(rows)
}

/// The smallest version 7 UUID of that moment: ids before it are older, ids from it on are not.
pub(crate) fn first_id_at(moment: DateTime<Utc>) -> Uuid {
    let milliseconds = u128::try_from(to_ms(moment)).unwrap_or(0) & 0xffff_ffff_ffff;
    Uuid::from_u128(milliseconds << 80)
}

/// The id of an event as the tables hold it.
pub(super) fn event_id(id: Uuid) -> EventId {
    EventId::from_uuid(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_cut_exactly_at_a_moment() {
        let moment = DateTime::from_timestamp_millis(1_780_000_000_123).unwrap();
        let before = EventId::new(moment - chrono::TimeDelta::milliseconds(1)).as_uuid();
        assert!(before < first_id_at(moment));
        assert!(first_id_at(moment) <= EventId::new(moment).as_uuid());
        assert_eq!(first_id_at(DateTime::<Utc>::MIN_UTC), Uuid::nil());
    }
}

//! The inbox: which events this service has taken. The row is committed with the effects, so effects happen once.

use std::collections::HashSet;
use std::time::Duration;

use sea_orm::sea_query::{Expr, InsertStatement, OnConflict, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, Statement};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::Service;
use tracing::warn;
use uuid::Uuid;

use super::Consumer;
use super::entity::inbox;
use crate::clock::{Clock, from_ms, to_ms};
use crate::database::{Database, agreed_now, listed};
use crate::lifecycle::Shutdown;
use crate::outbox::first_id_at;

/// How long a row stays after the last copy of its event.
const AGE_MAX_MS: i64 = 30 * DAY_MS;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How often old rows are removed.
const TRIM_INTERVAL: Duration = Duration::from_mins(10);

/// The rows of several events in PostgreSQL's own words, one text for every number of them.
const ENTER_ALL: &str = "INSERT INTO inbox (consumer, event_id, seen_at_ms)
    SELECT $1::varchar, new.event_id, $3::bigint FROM unnest(string_to_array($2, ',')::uuid[]) AS new (event_id) ORDER BY new.event_id
    ON CONFLICT (consumer, event_id) DO NOTHING RETURNING event_id";

/// Writes the row. False when the event was taken before; then the row is kept for another while.
pub(crate) async fn enter<C: ConnectionTrait>(
    connection: &C,
    consumer: Service,
    event: EventId,
    now_ms: i64,
) -> Result<bool, DbErr> {
    Ok(enter_all(connection, consumer, &[event], now_ms).await?.contains(&event))
}

/// Writes the rows of several events at once, and returns those that were not taken before.
pub(super) async fn enter_all<C: ConnectionTrait>(
    connection: &C,
    consumer: Service,
    events: &[EventId],
    now_ms: i64,
) -> Result<HashSet<EventId>, DbErr> {
    // In the order of ids, so that two replicas with the same events wait for each other in turn.
    let mut sorted = events.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let rows = match connection.get_database_backend() {
        DbBackend::Postgres => {
            let values = [consumer.as_str().into(), listed(sorted.iter().map(EventId::as_uuid)).into(), now_ms.into()];
            let insert = Statement::from_sql_and_values(DbBackend::Postgres, ENTER_ALL, values);
            connection.query_all_raw(insert).await?
        }
        _ => connection.query_all(&insert_all(consumer, &sorted, now_ms)?).await?,
    };
    let new: Result<HashSet<EventId>, DbErr> =
        rows.iter().map(|row| row.try_get::<Uuid>("", "event_id").map(EventId::from_uuid)).collect();
    let new = new?;
    sorted.retain(|event| !new.contains(event));
    if !sorted.is_empty() {
        seen_again(connection, consumer, &sorted, now_ms).await?;
    }
    Ok(new)
}

fn insert_all(consumer: Service, events: &[EventId], now_ms: i64) -> Result<InsertStatement, DbErr> {
    let mut insert = Query::insert();
    insert
        .into_table(inbox::Entity)
        .columns([inbox::Column::Consumer, inbox::Column::EventId, inbox::Column::SeenAtMs])
        .on_conflict(OnConflict::columns([inbox::Column::Consumer, inbox::Column::EventId]).do_nothing().to_owned())
        .returning_col(inbox::Column::EventId);
    for event in events {
        insert
            .values([Expr::value(consumer.as_str()), Expr::value(event.as_uuid()), Expr::value(now_ms)])
            .map_err(|error| DbErr::Custom(error.to_string()))?;
    }
    Ok(insert)
}

/// Takes back rows that were written in this transaction for events that it has no time to take.
pub(super) async fn leave<C: ConnectionTrait>(
    connection: &C,
    consumer: Service,
    events: &HashSet<EventId>,
) -> Result<(), DbErr> {
    if events.is_empty() {
        return Ok(());
    }
    inbox::Entity::delete_many()
        .filter(inbox::Column::Consumer.eq(consumer.as_str()))
        .filter(inbox::Column::EventId.is_in(events.iter().map(EventId::as_uuid)))
        .exec(connection)
        .await
        .map(|_| ())
}

/// Keeps the rows of copies for another while. To the day is enough, and spares a write for most copies.
async fn seen_again<C: ConnectionTrait>(
    connection: &C,
    consumer: Service,
    events: &[EventId],
    now_ms: i64,
) -> Result<(), DbErr> {
    inbox::Entity::update_many()
        .col_expr(inbox::Column::SeenAtMs, Expr::value(now_ms))
        .filter(inbox::Column::Consumer.eq(consumer.as_str()))
        .filter(inbox::Column::EventId.is_in(events.iter().map(EventId::as_uuid)))
        .filter(inbox::Column::SeenAtMs.lt(now_ms.saturating_sub(DAY_MS)))
        .exec(connection)
        .await
        .map(|_| ())
}

/// Removes old rows until the drain.
pub(super) async fn run_trim(consumer: Consumer, shutdown: Shutdown) {
    loop {
        if let Err(error) = trim_now(&consumer.database, consumer.service, &consumer.clock).await {
            warn!(service = %consumer.service, reason = %error, "old inbox rows could not be removed");
        }
        tokio::select! {
            () = shutdown.draining() => return,
            () = tokio::time::sleep(TRIM_INTERVAL) => {}
        }
    }
}

pub(crate) async fn trim_now(database: &Database, consumer: Service, clock: &Clock) -> Result<u64, DbErr> {
    let connection = database.writer();
    let now_ms = to_ms(agreed_now(connection, clock).await?);
    trim(connection, consumer, now_ms).await
}

/// Ids begin with their time, so the key finds the old ones without another index.
pub(crate) async fn trim<C: ConnectionTrait>(connection: &C, consumer: Service, now_ms: i64) -> Result<u64, DbErr> {
    let limit_ms = now_ms.saturating_sub(AGE_MAX_MS);
    let delete = inbox::Entity::delete_many()
        .filter(inbox::Column::Consumer.eq(consumer.as_str()))
        .filter(inbox::Column::EventId.lt(first_id_at(from_ms(limit_ms))))
        .filter(inbox::Column::SeenAtMs.lt(limit_ms));
    Ok(delete.exec(connection).await?.rows_affected)
}

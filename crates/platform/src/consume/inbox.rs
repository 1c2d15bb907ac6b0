//! The inbox: which events this service has taken. The row is committed with the effects, so effects happen once.

use std::time::Duration;

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::Service;
use tracing::warn;

use super::Consumer;
use super::entity::inbox;
use crate::clock::from_ms;
use crate::lifecycle::Shutdown;
use crate::outbox::first_id_at;

/// How long a row stays after the last copy of its event.
const AGE_MAX_MS: i64 = 30 * DAY_MS;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How often old rows are removed.
const TRIM_INTERVAL: Duration = Duration::from_mins(10);

/// Writes the row. False when the event was taken before; then the row is kept for another while.
pub(crate) async fn enter<C: ConnectionTrait>(
    connection: &C,
    consumer: Service,
    event: EventId,
    now_ms: i64,
) -> Result<bool, DbErr> {
    let row = inbox::ActiveModel {
        consumer: ActiveValue::Set(consumer.to_string()),
        event_id: ActiveValue::Set(event.as_uuid()),
        seen_at_ms: ActiveValue::Set(now_ms),
    };
    let known = OnConflict::columns([inbox::Column::Consumer, inbox::Column::EventId]).do_nothing().to_owned();
    let inserted = inbox::Entity::insert_many([row]).on_conflict(known).exec_without_returning(connection).await?;
    if inserted > 0 {
        return Ok(true);
    }
    // To the day is enough, and spares a write for most copies.
    inbox::Entity::update_many()
        .col_expr(inbox::Column::SeenAtMs, Expr::value(now_ms))
        .filter(inbox::Column::Consumer.eq(consumer.as_str()))
        .filter(inbox::Column::EventId.eq(event.as_uuid()))
        .filter(inbox::Column::SeenAtMs.lt(now_ms.saturating_sub(DAY_MS)))
        .exec(connection)
        .await?;
    Ok(false)
}

/// Removes old rows until the drain.
pub(super) async fn run_trim(consumer: Consumer, shutdown: Shutdown) {
    loop {
        let now_ms = consumer.clock.now_ms();
        if let Err(error) = trim(consumer.database.writer(), consumer.service, now_ms).await {
            warn!(service = %consumer.service, reason = %error, "old inbox rows could not be removed");
        }
        tokio::select! {
            () = shutdown.draining() => return,
            () = tokio::time::sleep(TRIM_INTERVAL) => {}
        }
    }
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

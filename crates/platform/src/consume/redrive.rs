//! Runs dead letters again when a person asked for it.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::kind_named;
use tracing::{info, warn};

use super::entity::dead_letter;
use super::{ConsumeError, Consumer, IncomingEvent, dead_letters, lane};
use crate::clock::from_ms;
use crate::fail_points;
use crate::lifecycle::Shutdown;
use crate::outbox::lane_from_number;
use crate::telemetry::metrics;

/// How often the table is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// Dead letters in one look.
const BATCH: u64 = 32;

/// Looks until the drain.
pub(super) async fn run(consumer: Consumer, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.draining() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        if let Err(error) = look(&consumer).await {
            warn!(service = %consumer.service, reason = %error, "dead letters could not be run again; trying again");
        }
    }
}

async fn look(consumer: &Consumer) -> Result<(), DbErr> {
    let asked = dead_letter::Entity::find()
        .filter(dead_letter::Column::Consumer.eq(consumer.service.as_str()))
        .filter(dead_letter::Column::RedriveAtMs.is_not_null())
        .order_by_asc(dead_letter::Column::EventId)
        .limit(BATCH)
        .all(consumer.database.reader())
        .await?;
    for row in asked {
        again(consumer, row).await?;
    }
    let custody = dead_letters::count(consumer.database.reader()).await?;
    let gauge = metrics().dead_letters.with_label_values(&[consumer.service.as_str()]);
    gauge.set(i64::try_from(custody).unwrap_or(i64::MAX));
    Ok(())
}

/// The row goes with the effects. The inbox row stays from when the event was given up, so copies remain known.
async fn again(consumer: &Consumer, row: dead_letter::Model) -> Result<(), DbErr> {
    let this = Condition::all()
        .add(dead_letter::Column::Consumer.eq(row.consumer.clone()))
        .add(dead_letter::Column::EventId.eq(row.event_id));
    let attempts = row.attempts.saturating_add(1);
    let Some(event) = incoming(row) else { return Ok(()) };
    let transaction = consumer.database.begin().await?;
    let deleted = dead_letter::Entity::delete_many()
        .filter(this.clone())
        .filter(dead_letter::Column::RedriveAtMs.is_not_null())
        .exec(&transaction)
        .await?;
    if deleted.rows_affected == 0 {
        // Another replica was quicker.
        return transaction.rollback().await;
    }
    match lane::handle(consumer, &transaction, &event).await {
        Ok(()) => {
            crate::database::commit(transaction, "consume.redrive").await?;
            info!(service = %consumer.service, event = event.kind.name, event_id = %event.id, "a dead letter ran well");
            consumer.outbox.wake();
            consumer.handler.committed(&event).await;
            Ok(())
        }
        // It stays asked for.
        Err(ConsumeError::Unavailable(reason)) => {
            transaction.rollback().await?;
            Err(DbErr::Custom(reason))
        }
        Err(ConsumeError::Fault(fault)) => {
            transaction.rollback().await?;
            warn!(service = %consumer.service, event = event.kind.name, event_id = %event.id, "a dead letter failed again");
            fail_points::reach("consume.redrive_failed");
            dead_letter::Entity::update_many()
                .col_expr(dead_letter::Column::RedriveAtMs, Expr::value(None::<i64>))
                .col_expr(dead_letter::Column::Attempts, Expr::value(attempts))
                .col_expr(dead_letter::Column::Fault, Expr::value(dead_letters::cut(&fault)))
                .filter(this)
                .exec(consumer.database.writer())
                .await
                .map(|_| ())
        }
    }
}

fn incoming(row: dead_letter::Model) -> Option<IncomingEvent> {
    Some(IncomingEvent {
        id: EventId::from_uuid(row.event_id),
        kind: kind_named(&row.kind)?,
        lane: lane_from_number(row.lane),
        aggregate: row.aggregate,
        version: row.version,
        at: from_ms(row.at_ms),
        payload: row.payload.into(),
        traceparent: row.traceparent,
        attempt: u32::try_from(row.attempts).unwrap_or(0).saturating_add(1),
    })
}

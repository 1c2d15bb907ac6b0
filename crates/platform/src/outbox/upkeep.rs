//! What keeps the outbox honest: a clean start, a look at what the broker still holds, and the end of old events.

use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::{Lane, Service, produced_by};
use tracing::{info, warn};

use super::entity::{event, owed};
use super::{Outbox, OutboxLag, changed, lane_from_number, lane_number, settle, store};
use crate::bus::Claims;
use crate::clock::{from_ms, to_ms};
use crate::database::agreed_now;
use crate::lifecycle::Shutdown;
use crate::telemetry::metrics;

/// How often the broker's claims are looked at.
const REVIEW_INTERVAL: Duration = Duration::from_secs(2);
/// An event younger than this is left to the broker.
const CLAIM_AGE_MS: i64 = 10_000;
/// After this no claim counts any more.
const CLAIM_AGE_MAX_MS: i64 = 60 * 60 * 1000;
/// How often old events are removed.
const TRIM_INTERVAL: Duration = Duration::from_mins(10);
/// How long an event stays after nothing is owed.
const EVENT_AGE_MAX_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Events removed in one statement.
const TRIM_BATCH: u64 = 1_000;
/// The pause before the start is tried again.
const START_PAUSE: Duration = Duration::from_secs(1);

/// Forgets what this release owes to nobody, and what a bus without a store held before the restart.
pub(super) async fn start(outbox: &Outbox, shutdown: &Shutdown) {
    while let Err(error) = clean(outbox).await {
        warn!(service = %outbox.service, reason = %error, "the outbox could not be prepared; trying again");
        tokio::select! {
            () = shutdown.draining() => return,
            () = tokio::time::sleep(START_PAUSE) => {}
        }
    }
}

async fn clean(outbox: &Outbox) -> Result<(), DbErr> {
    let transaction = outbox.database.begin().await?;
    let mut named = Condition::any();
    for kind in produced_by(outbox.service) {
        let events = Query::select()
            .column(event::Column::EventId)
            .from(event::Entity)
            .and_where(event::Column::Kind.eq(kind.name))
            .to_owned();
        let consumers = kind.consumers.iter().map(|consumer| consumer.as_str());
        let this = Condition::all()
            .add(owed::Column::Consumer.is_in(consumers))
            .add(owed::Column::EventId.in_subquery(events));
        named = named.add(this);
    }
    let deleted = owed::Entity::delete_many().filter(named.not()).exec(&transaction).await?.rows_affected;
    if outbox.bus.is_volatile() {
        owed::Entity::update_many()
            .col_expr(owed::Column::PublishedAtMs, Expr::value(None::<i64>))
            .filter(owed::Column::PublishedAtMs.is_not_null())
            .exec(&transaction)
            .await?;
    }
    crate::database::commit(transaction, "outbox.clean").await?;
    if deleted > 0 {
        warn!(service = %outbox.service, count = deleted, "events owed to consumers that the catalogue does not name were dropped");
    }
    Ok(())
}

/// Has published again what the broker no longer has a claim to.
pub(super) async fn review(outbox: &Outbox, shutdown: &Shutdown) {
    let mut renewed = outbox.bus.renewed();
    loop {
        let is_renewed = tokio::select! {
            () = shutdown.draining() => return,
            () = changed(&mut renewed) => true,
            () = tokio::time::sleep(REVIEW_INTERVAL) => false,
        };
        match review_once(outbox, is_renewed).await {
            Ok(0) => {}
            Ok(count) => {
                info!(service = %outbox.service, count, "events that the broker does not hold are published again");
                outbox.wake();
            }
            Err(error) => {
                warn!(service = %outbox.service, reason = %error, "the broker's claims could not be reviewed");
            }
        }
        if let Ok(lag) = outbox.lag().await {
            show(outbox.service, lag);
        }
    }
}

fn show(service: Service, lag: OutboxLag) {
    let labels = [service.as_str()];
    let seconds = lag.oldest_owed_ms.unwrap_or(0) / 1000;
    metrics().outbox_owed.with_label_values(&labels).set(i64::try_from(lag.owed).unwrap_or(i64::MAX));
    metrics().outbox_oldest_seconds.with_label_values(&labels).set(seconds);
}

#[derive(FromQueryResult)]
struct Pair {
    consumer: String,
    lane: i16,
}

/// `is_renewed`: the broker's stream is another one than before, so that claims on the old one need not grow old first.
async fn review_once(outbox: &Outbox, is_renewed: bool) -> Result<u64, DbErr> {
    let now_ms = to_ms(agreed_now(outbox.database.reader(), &outbox.clock).await?);
    let old = if is_renewed { now_ms } else { now_ms.saturating_sub(CLAIM_AGE_MS) };
    let pairs = owed::Entity::find()
        .select_only()
        .column(owed::Column::Consumer)
        .column(owed::Column::Lane)
        .distinct()
        .filter(owed::Column::PublishedAtMs.lte(old))
        .into_model::<Pair>()
        .all(outbox.database.reader())
        .await?;
    let mut unclaimed = 0;
    for pair in pairs {
        if let Ok(consumer) = pair.consumer.parse::<Service>() {
            unclaimed += withdraw_void_claims(outbox, consumer, lane_from_number(pair.lane), now_ms).await?;
        }
    }
    Ok(unclaimed)
}

/// Makes rows unpublished whose claim is void: from another incarnation, or not young any more and not held, acknowledged,
/// or an hour old.
async fn withdraw_void_claims(outbox: &Outbox, consumer: Service, lane: Lane, now_ms: i64) -> Result<u64, DbErr> {
    let claims = outbox.bus.claims(consumer, lane).await;
    let not_young = || Condition::all().add(owed::Column::PublishedAtMs.lte(now_ms.saturating_sub(CLAIM_AGE_MS)));
    let void = match claims {
        Claims::Unknown => return Ok(0),
        // What this process holds in memory it holds for certain, however old.
        Claims::These(events) if events.is_empty() => not_young(),
        Claims::These(events) => not_young().add(owed::Column::EventId.is_not_in(events.iter().map(EventId::as_uuid))),
        Claims::Above { epoch, floor } => {
            let lost = Condition::any()
                .add(owed::Column::BrokerEpoch.is_null())
                .add(owed::Column::BrokerSequence.lte(floor))
                .add(owed::Column::PublishedAtMs.lte(now_ms.saturating_sub(CLAIM_AGE_MAX_MS)));
            Condition::any().add(owed::Column::BrokerEpoch.ne(epoch)).add(not_young().add(lost))
        }
    };
    // Rows that another replica or a settlement has in hand are left to it: waiting for each other they could lock up.
    let these = Query::select()
        .column(owed::Column::Seq)
        .from(owed::Entity)
        .and_where(owed::Column::Consumer.eq(consumer.as_str()))
        .and_where(owed::Column::Lane.eq(lane_number(lane)))
        .and_where(owed::Column::PublishedAtMs.is_not_null())
        .cond_where(void)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .to_owned();
    let withdrawn = owed::Entity::update_many()
        .col_expr(owed::Column::PublishedAtMs, Expr::value(None::<i64>))
        .col_expr(owed::Column::Generation, Expr::col(owed::Column::Generation).add(1))
        .filter(owed::Column::Seq.in_subquery(these))
        .exec(outbox.database.writer())
        .await?;
    Ok(withdrawn.rows_affected)
}

/// Removes events seven days after nothing was owed.
pub(super) async fn trim(outbox: &Outbox, shutdown: &Shutdown) {
    loop {
        match trim_once(outbox).await {
            // There may be more; others may write meanwhile.
            Ok(count) if count >= TRIM_BATCH && !shutdown.is_draining() => {
                tokio::task::yield_now().await;
                continue;
            }
            Ok(_) => {}
            Err(error) => warn!(service = %outbox.service, reason = %error, "old events could not be removed"),
        }
        tokio::select! {
            () = shutdown.draining() => return,
            () = tokio::time::sleep(TRIM_INTERVAL) => {}
        }
    }
}

/// One batch. An event that was settled late says so; any other was settled within an hour of its record.
pub(crate) async fn trim_once(outbox: &Outbox) -> Result<u64, DbErr> {
    let now_ms = to_ms(agreed_now(outbox.database.reader(), &outbox.clock).await?);
    let limit_ms = now_ms.saturating_sub(EVENT_AGE_MAX_MS);
    let recorded_before = store::first_id_at(from_ms(limit_ms.saturating_sub(settle::LATE_MS)));
    let still_owed = Query::select()
        .expr(Expr::value(1))
        .from(owed::Entity)
        .and_where(Expr::col((owed::Entity, owed::Column::EventId)).equals((event::Entity, event::Column::EventId)))
        .to_owned();
    let old = Query::select()
        .column(event::Column::EventId)
        .from(event::Entity)
        .and_where(event::Column::EventId.lt(recorded_before))
        .cond_where(
            Condition::any()
                .add(event::Column::SettledLateAtMs.is_null())
                .add(event::Column::SettledLateAtMs.lt(limit_ms)),
        )
        .and_where(Expr::exists(still_owed).not())
        .limit(TRIM_BATCH)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .to_owned();
    let delete =
        Query::delete().from_table(event::Entity).and_where(event::Column::EventId.in_subquery(old)).to_owned();
    Ok(outbox.database.writer().execute(&delete).await?.rows_affected())
}

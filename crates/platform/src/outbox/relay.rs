//! The relay: takes what is owed to the broker.
//!
//! Woken by a commit, it looks only at rows after the last one it saw, and in the embedded form writes nothing, because
//! most of those rows are settled within milliseconds. Once a second it looks at everything unpublished.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DbBackend, DbErr};
use tocsin_proto::catalogue::{Service, kind_named};
use tokio::sync::watch;
use tracing::{error, warn};
use uuid::Uuid;

use super::store::{self, OwedEvent};
use super::{Outbox, lane_from_number};
use crate::bus::{Claim, Envelope, Publication};
use crate::clock::from_ms;
use crate::lifecycle::Shutdown;

/// Rows in one batch.
const BATCH: u64 = 256;
/// The relay looks at least this often.
const INTERVAL: Duration = Duration::from_secs(1);
/// The pause after an error doubles up to this.
const ERROR_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long the last look at the drain may take.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// How far the relay has looked in this process; only a hint, the second corrects it.
#[derive(Debug, Default)]
struct Seen {
    seq: i64,
}

/// Publishes until the drain, then once more.
pub(super) async fn run(outbox: &Outbox, shutdown: &Shutdown) {
    let mut seen = Seen::default();
    let mut pause = Duration::from_millis(100);
    let mut everything = true;
    let mut room = outbox.bus.room();
    let mut timer = tokio::time::interval(INTERVAL);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let outcome = if everything { all(outbox, &mut seen).await } else { new(outbox, &mut seen).await };
        match outcome {
            Ok(()) => pause = Duration::from_millis(100),
            Err(error) => {
                warn!(service = %outbox.service, reason = %error, "the outbox could not be read; trying again");
                tokio::select! {
                    () = shutdown.draining() => {}
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(ERROR_PAUSE_MAX);
            }
        }
        everything = tokio::select! {
            () = shutdown.draining() => break,
            () = outbox.committed.notified() => false,
            () = has_room(&mut room) => true,
            _ = timer.tick() => true,
        };
    }
    // What was committed while draining still leaves if the broker takes it; otherwise it leaves at the next start.
    let _ = tokio::time::timeout(LAST_LOOK, all(outbox, &mut seen)).await;
}

/// Waits until a queue that refused something has room again.
async fn has_room(room: &mut Option<watch::Receiver<u64>>) {
    if let Some(room) = room
        && room.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Looks at rows after the last one seen. Where numbers may appear out of order, or marks are needed so that replicas
/// do not publish the same rows, that means everything.
async fn new(outbox: &Outbox, seen: &mut Seen) -> Result<(), DbErr> {
    if !outbox.bus.is_volatile() || outbox.database.backend() != DbBackend::Sqlite {
        return all(outbox, seen).await;
    }
    let rows = store::unpublished(outbox.database.reader(), seen.seq, &[], BATCH).await?;
    if rows.len() as u64 >= BATCH {
        // The batch may have left out lower numbers in slower lanes.
        return all(outbox, seen).await;
    }
    let last = rows.iter().map(|row| row.seq).max();
    publish(outbox, rows).await;
    seen.seq = seen.seq.max(last.unwrap_or(0));
    Ok(())
}

/// Publishes everything unpublished, batch by batch, and marks it.
async fn all(outbox: &Outbox, seen: &mut Seen) -> Result<(), DbErr> {
    let mut full = Vec::new();
    loop {
        let locking = outbox.database.backend() == DbBackend::Postgres;
        let (rows, transaction) = if locking {
            let transaction = outbox.database.begin().await?;
            (store::unpublished(&transaction, 0, &full, BATCH).await?, Some(transaction))
        } else {
            (store::unpublished(outbox.database.reader(), 0, &full, BATCH).await?, None)
        };
        let count = rows.len() as u64;
        seen.seq = rows.iter().map(|row| row.seq).fold(seen.seq, i64::max);
        let pairs: HashMap<i64, (String, i16)> =
            rows.iter().map(|row| (row.seq, (row.consumer.clone(), row.lane))).collect();
        let outcomes = publish(outbox, rows).await;
        let mut published = Vec::with_capacity(outcomes.len());
        let before = full.len();
        for (seq, claim) in outcomes {
            match (claim, pairs.get(&seq)) {
                (Some(claim), _) => published.push((seq, claim)),
                (None, Some(pair)) if !full.contains(pair) => full.push(pair.clone()),
                (None, _) => {}
            }
        }
        let now_ms = outbox.clock.now_ms();
        if let Some(transaction) = transaction {
            store::mark_published(&transaction, &published, now_ms).await?;
            crate::database::commit(transaction, "outbox.mark_published").await?;
        } else {
            store::mark_published(outbox.database.writer(), &published, now_ms).await?;
        }
        // Refused pairs are left out of the next batch, so each turn gets somewhere.
        if count < BATCH && full.len() == before {
            return Ok(());
        }
        if published.is_empty() && full.len() == before {
            return Ok(());
        }
    }
}

/// Hands rows to the broker, one publication for each event, and returns each row's claim.
async fn publish(outbox: &Outbox, rows: Vec<OwedEvent>) -> Vec<(i64, Option<Claim>)> {
    let mut batch: Vec<Publication> = Vec::with_capacity(rows.len());
    let mut numbers: Vec<Vec<i64>> = Vec::with_capacity(rows.len());
    let mut places: HashMap<(Uuid, i64), usize> = HashMap::new();
    let mut outcomes = Vec::with_capacity(rows.len());
    for row in rows {
        let (seq, key) = (row.seq, (row.event_id, row.generation));
        let Ok(consumer) = row.consumer.parse::<Service>() else {
            outcomes.push((seq, None));
            continue;
        };
        let place = if let Some(place) = places.get(&key) {
            *place
        } else {
            let Some(publication) = publication(row) else {
                error!(service = %outbox.service, event_id = %key.0, "the outbox holds an event of a kind that this release does not know");
                outcomes.push((seq, None));
                continue;
            };
            batch.push(publication);
            numbers.push(Vec::new());
            places.insert(key, batch.len() - 1);
            batch.len() - 1
        };
        if let (Some(publication), Some(numbers)) = (batch.get_mut(place), numbers.get_mut(place)) {
            publication.consumers.push(consumer);
            numbers.push(seq);
        }
    }
    let claims = if batch.is_empty() { Vec::new() } else { outbox.bus.publish(&batch).await };
    for (numbers, claims) in numbers.into_iter().zip(claims) {
        outcomes.extend(numbers.into_iter().zip(claims));
    }
    outcomes
}

fn publication(row: OwedEvent) -> Option<Publication> {
    let envelope = Envelope {
        id: store::event_id(row.event_id),
        kind: kind_named(&row.kind)?,
        lane: lane_from_number(row.lane),
        aggregate: row.aggregate,
        version: row.version,
        at: from_ms(row.at_ms),
        payload: row.payload.into(),
        traceparent: row.traceparent,
    };
    Some(Publication { envelope: Arc::new(envelope), consumers: Vec::new(), generation: row.generation })
}

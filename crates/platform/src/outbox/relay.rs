//! The relay: takes what is owed to the broker.
//!
//! Woken by a commit, it looks only at rows after the last one it saw, and in the embedded form writes nothing, because
//! most of those rows are settled within milliseconds. Once a second it looks at everything unpublished.
//!
//! On PostgreSQL the rows of a batch stay locked until they are marked, so that no replica publishes them meanwhile. A
//! relay that dies lets go of them at once; from one that stands still PostgreSQL takes them after [`LOCKS_MAX`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};
use tocsin_proto::catalogue::{Service, kind_named};
use tracing::{error, warn};
use uuid::Uuid;

use super::store::{self, OwedEvent};
use super::{Outbox, changed, lane_from_number};
use crate::bus::{Claim, Envelope, Placement, Publication};
use crate::clock::{from_ms, to_ms};
use crate::database::agreed_now;
use crate::fail_points;
use crate::lifecycle::Shutdown;

/// Rows in one batch.
const BATCH: u64 = 256;
/// The relay looks at least this often.
const INTERVAL: Duration = Duration::from_secs(1);
/// The pause after an error doubles up to this.
const ERROR_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long PostgreSQL waits for the next statement of a relay that holds rows: longer than a broker usually takes to
/// answer. One that takes longer costs a failed mark, and copies.
const LOCKS_MAX: Duration = Duration::from_secs(8);
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
            () = changed(&mut room) => true,
            _ = timer.tick() => true,
        };
    }
    // What was committed while draining still leaves if the broker takes it; otherwise it leaves at the next start.
    let _ = tokio::time::timeout(LAST_LOOK, all(outbox, &mut seen)).await;
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
    while batch(outbox, seen, &mut full).await? {}
    Ok(())
}

/// One batch. False when there is nothing more to do now. Pairs of consumer and lane that are refused are added to
/// `full` and left out of the next batch, so that each turn gets somewhere.
async fn batch(outbox: &Outbox, seen: &mut Seen, full: &mut Vec<(String, i16)>) -> Result<bool, DbErr> {
    let transaction = match outbox.database.backend() {
        DbBackend::Postgres => Some(begin_with_locks(outbox).await?),
        _ => None,
    };
    let rows = match &transaction {
        Some(transaction) => store::unpublished(transaction, 0, full, BATCH).await?,
        None => store::unpublished(outbox.database.reader(), 0, full, BATCH).await?,
    };
    if rows.is_empty() {
        return Ok(false);
    }
    let count = rows.len() as u64;
    seen.seq = rows.iter().map(|row| row.seq).fold(seen.seq, i64::max);
    let mut outcome = Outcome::default();
    let before = full.len();
    for (row, placement) in publish(outbox, rows).await {
        match placement {
            Placement::Held(claim) => outcome.held.push((row.seq, claim)),
            Placement::TooLarge => outcome.too_large.push(row.seq),
            Placement::Refused => {
                let pair = (row.consumer, row.lane);
                if !full.contains(&pair) {
                    full.push(pair);
                }
            }
        }
    }
    fail_points::reach("bus.published");
    let progress = outcome.is_some() || full.len() > before;
    mark(outbox, transaction, &outcome).await?;
    fail_points::reach("outbox.marked");
    Ok(progress && (count >= BATCH || full.len() > before))
}

/// What has to be marked after one batch.
#[derive(Debug, Default)]
struct Outcome {
    held: Vec<(i64, Claim)>,
    too_large: Vec<i64>,
}

impl Outcome {
    fn is_some(&self) -> bool {
        !self.held.is_empty() || !self.too_large.is_empty()
    }
}

async fn begin_with_locks(outbox: &Outbox) -> Result<DatabaseTransaction, DbErr> {
    let transaction = outbox.database.begin().await?;
    let limit = format!("SET LOCAL idle_in_transaction_session_timeout = {}", LOCKS_MAX.as_millis());
    transaction.execute_unprepared(&limit).await?;
    Ok(transaction)
}

/// As a relay that stands still between reading a batch and marking it.
#[cfg(test)]
pub(crate) async fn hold_batch(outbox: &Outbox) -> (DatabaseTransaction, usize) {
    let transaction = begin_with_locks(outbox).await.unwrap();
    let rows = store::unpublished(&transaction, 0, &[], BATCH).await.unwrap();
    (transaction, rows.len())
}

async fn mark(outbox: &Outbox, transaction: Option<DatabaseTransaction>, outcome: &Outcome) -> Result<(), DbErr> {
    if let Some(transaction) = transaction {
        let now_ms = to_ms(agreed_now(&transaction, &outbox.clock).await?);
        store::mark_published(&transaction, &outcome.held, now_ms).await?;
        store::mark_too_large(&transaction, &outcome.too_large, now_ms).await?;
        return crate::database::commit(transaction, "outbox.mark_published").await;
    }
    let now_ms = outbox.clock.now_ms();
    store::mark_published(outbox.database.writer(), &outcome.held, now_ms).await?;
    store::mark_too_large(outbox.database.writer(), &outcome.too_large, now_ms).await
}

/// A row by what names it, without its event.
struct Owed {
    seq: i64,
    consumer: String,
    lane: i16,
}

/// Hands rows to the broker, one publication for each event, and returns what became of each row.
async fn publish(outbox: &Outbox, rows: Vec<OwedEvent>) -> Vec<(Owed, Placement)> {
    let mut batch: Vec<Publication> = Vec::with_capacity(rows.len());
    let mut owed_in: Vec<Vec<Owed>> = Vec::with_capacity(rows.len());
    let mut places: HashMap<(Uuid, i64), usize> = HashMap::new();
    let mut outcomes = Vec::with_capacity(rows.len());
    for mut row in rows {
        let key = (row.event_id, row.generation);
        let owed = Owed { seq: row.seq, consumer: std::mem::take(&mut row.consumer), lane: row.lane };
        let Ok(consumer) = owed.consumer.parse::<Service>() else {
            outcomes.push((owed, Placement::Refused));
            continue;
        };
        let place = if let Some(place) = places.get(&key) {
            *place
        } else {
            let Some(publication) = publication(row) else {
                error!(service = %outbox.service, event_id = %key.0, "the outbox holds an event of a kind that this release does not know");
                outcomes.push((owed, Placement::Refused));
                continue;
            };
            batch.push(publication);
            owed_in.push(Vec::new());
            places.insert(key, batch.len() - 1);
            batch.len() - 1
        };
        if let (Some(publication), Some(rows)) = (batch.get_mut(place), owed_in.get_mut(place)) {
            publication.consumers.push(consumer);
            rows.push(owed);
        }
    }
    let placements = if batch.is_empty() { Vec::new() } else { outbox.bus.publish(&batch).await };
    for (rows, placements) in owed_in.into_iter().zip(placements) {
        outcomes.extend(rows.into_iter().zip(placements));
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

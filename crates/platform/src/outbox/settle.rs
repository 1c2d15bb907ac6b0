//! Settlements: consumers say that they have committed, and what they were owed goes.
//!
//! A settlement that arrives alone is written at once; under load they gather for up to five milliseconds, so that the
//! single writer is not kept busy by deletions of one row.

use std::time::Duration;

use sea_orm::DbErr;
use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

use super::{Outbox, store};
use crate::bus::{Settlement, Settlements};
use crate::clock::{from_ms, to_ms};
use crate::database::agreed_now;
use crate::fail_points;
use crate::lifecycle::Shutdown;

/// Settlements in one transaction.
const BATCH: usize = 512;
/// Two transactions are at least this far apart.
const GATHER: Duration = Duration::from_millis(5);
/// How often a batch is tried before it is left to come again.
const TRIES: u32 = 5;
/// The pause before the second try; it doubles.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// How long settlements are still taken while draining: consumers in the same process end at the same time.
const DRAIN: Duration = Duration::from_millis(200);
/// An event that was owed for longer than this stays its seven days from the settlement, not from the record.
pub(super) const LATE_MS: i64 = 60 * 60 * 1000;

/// Takes settlements until shortly after the drain.
pub(super) async fn run(outbox: &Outbox, mut settlements: Settlements, shutdown: &Shutdown) {
    let drained = async {
        shutdown.draining().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::pin!(drained);
    let mut last_write: Option<Instant> = None;
    loop {
        if let Some(last_write) = last_write {
            // Only what comes within the time since the last write waits at all.
            tokio::time::sleep_until(last_write + GATHER).await;
        }
        let batch = tokio::select! {
            () = &mut drained => return,
            batch = settlements.next(BATCH) => batch,
        };
        if batch.is_empty() {
            return shutdown.draining().await;
        }
        last_write = Some(Instant::now());
        fail_points::reach("outbox.settlements_arrived");
        write(outbox, &batch).await;
        fail_points::reach("outbox.settlements_written");
        settlements.done(&batch);
    }
}

async fn write(outbox: &Outbox, batch: &[Settlement]) {
    let mut pause = RETRY_PAUSE;
    for attempt in 1..=TRIES {
        match delete(outbox, batch).await {
            Ok(()) => return,
            Err(error) if attempt == TRIES => {
                warn!(service = %outbox.service, reason = %error, "settlements could not be written; their events will come again");
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause *= 2;
    }
}

async fn delete(outbox: &Outbox, batch: &[Settlement]) -> Result<(), DbErr> {
    // An hour is long enough for this process's own clock; what is written below is compared by others.
    let late_before = store::first_id_at(from_ms(outbox.clock.now_ms().saturating_sub(LATE_MS)));
    let mut late: Vec<Uuid> = batch.iter().map(|settlement| settlement.event_id.as_uuid()).collect();
    late.retain(|event| *event < late_before);
    let mixed = batch.iter().any(|settlement| Some(settlement.consumer) != batch.first().map(|first| first.consumer));
    if late.is_empty() && !mixed {
        // One statement is a transaction by itself.
        return store::settle(outbox.database.writer(), batch).await.map(|_| ());
    }
    let transaction = outbox.database.begin().await?;
    if store::settle(&transaction, batch).await? > 0 && !late.is_empty() {
        let now_ms = to_ms(agreed_now(&transaction, &outbox.clock).await?);
        store::note_late(&transaction, &late, now_ms).await?;
    }
    crate::database::commit(transaction, "outbox.settle").await
}

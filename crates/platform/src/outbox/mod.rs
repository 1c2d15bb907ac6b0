//! Events leave with the state: the outbox is the record, the broker only a hint.
//!
//! A service commits its state and its events in one transaction, with one row for each consumer that the catalogue
//! names. The relay publishes those rows, a consumer's settlement deletes its row, and whatever the broker no longer
//! has a claim to is published again. So losing the broker's store, or any crash, loses nothing that was accepted.

pub(crate) mod entity;
mod lanes;
mod postgres;
mod relay;
mod settle;
mod store;
mod too_large;
mod upkeep;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::{EventKind, Lane, Service};
use tokio::sync::{Notify, watch};

use crate::bus::{Bus, BusError, BusState};
use crate::clock::Clock;
use crate::database::Database;
use crate::lifecycle::Shutdown;

pub(crate) use lanes::{lane_from_number, lane_number};
#[cfg(test)]
pub(crate) use relay::hold_batch;
pub(crate) use store::first_id_at;
pub use too_large::TooLargeEvent;
#[cfg(test)]
pub(crate) use upkeep::trim_once;

/// An event that leaves a service. Nothing personal outside its payload, and nothing unsealed inside.
#[derive(Debug, Clone)]
pub struct OutgoingEvent {
    /// Names the event in every copy.
    pub id: EventId,
    /// What kind of fact it is.
    pub kind: &'static EventKind,
    /// Which lane it travels in.
    pub lane: Lane,
    /// The opaque id of what changed; it becomes the `CloudEvents` subject.
    pub aggregate: String,
    /// The version of what changed.
    pub version: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Protobuf: the full state of the aggregate at that version.
    pub payload: Vec<u8>,
    /// W3C trace context, so that one trace runs from the report to the last attempt.
    pub traceparent: Option<String>,
}

impl OutgoingEvent {
    /// An event with a new id and the current trace context.
    pub fn new(
        kind: &'static EventKind,
        lane: Lane,
        aggregate: impl Into<String>,
        version: i64,
        message: &impl prost::Message,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id: EventId::new(now),
            kind,
            lane,
            aggregate: aggregate.into(),
            version,
            at: now,
            payload: message.encode_to_vec(),
            traceparent: crate::telemetry::current_traceparent(),
        }
    }
}

/// How far the consumers are behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLag {
    /// Rows that are not settled: one for each event and consumer.
    pub owed: u64,
    /// How long the oldest of them has been owed, in milliseconds.
    pub oldest_owed_ms: Option<i64>,
}

/// How far one consumer is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedByConsumer {
    /// The consuming service.
    pub consumer: String,
    /// Events that it has not settled.
    pub owed: u64,
    /// How long the oldest of them has been owed, in milliseconds.
    pub oldest_ms: i64,
}

/// Why the relay ended.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The settlements cannot be received.
    #[error("the outbox cannot receive settlements")]
    Settlements(#[source] BusError),
}

/// The outbox of one service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    service: Service,
    database: Database,
    bus: Bus,
    clock: Clock,
    committed: Arc<Notify>,
}

impl Outbox {
    /// The outbox of `service` in its own database.
    pub fn new(service: Service, database: Database, bus: Bus, clock: Clock) -> Self {
        Self { service, database, bus, clock, committed: Arc::new(Notify::new()) }
    }

    /// Writes events and what is owed into the caller's transaction. Call [`Outbox::wake`] after the commit.
    pub async fn record<C: ConnectionTrait>(&self, connection: &C, events: &[OutgoingEvent]) -> Result<(), DbErr> {
        store::record(connection, events, self.clock.now_ms()).await
    }

    /// Says that something was committed, so that the relay looks at once and not at its next second.
    pub fn wake(&self) {
        self.committed.notify_one();
    }

    /// Publishes what is owed until the drain: woken by commits and by the second. It also takes settlements, publishes
    /// again what the broker has lost, and removes events seven days after nothing was owed.
    pub async fn run_relay(self, shutdown: Shutdown) -> Result<(), OutboxError> {
        upkeep::start(&self, &shutdown).await;
        let settlements = self.bus.settlements(self.service).await.map_err(OutboxError::Settlements)?;
        // Boxed, because together they are larger than a task should be.
        tokio::join!(
            Box::pin(relay::run(&self, &shutdown)),
            Box::pin(settle::run(&self, settlements, &shutdown)),
            Box::pin(upkeep::review(&self, &shutdown)),
            Box::pin(upkeep::trim(&self, &shutdown)),
            Box::pin(self.bus.keep(&shutdown)),
        );
        Ok(())
    }

    /// Owes every event since then to its consumers once more, for one that was restored to an older state. The inbox
    /// of a consumer that knows an event settles it again. Returns how many rows became owed.
    pub async fn redrive_since(&self, since: DateTime<Utc>) -> Result<u64, DbErr> {
        let rows = store::owe_again(&self.database, self.service, since, self.clock.now_ms()).await?;
        self.wake();
        Ok(rows)
    }

    /// How far the consumers are behind.
    pub async fn lag(&self) -> Result<OutboxLag, DbErr> {
        let (owed, oldest_at_ms) = store::lag(self.database.reader()).await?;
        let now = self.clock.now_ms();
        Ok(OutboxLag { owed, oldest_owed_ms: oldest_at_ms.map(|oldest| now.saturating_sub(oldest).max(0)) })
    }

    /// The same by consumer, for those to whom something is owed.
    pub async fn lag_by_consumer(&self) -> Result<Vec<OwedByConsumer>, DbErr> {
        let rows = store::lag_by_consumer(self.database.reader()).await?;
        let now = self.clock.now_ms();
        let row = |(consumer, owed, oldest_at_ms): (String, u64, i64)| OwedByConsumer {
            consumer,
            owed,
            oldest_ms: now.saturating_sub(oldest_at_ms).max(0),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// What the bus looks like to this service now.
    pub async fn bus_state(&self) -> BusState {
        self.bus.state().await
    }

    /// Events that wait because the broker takes no message of their size, at most a hundred.
    pub async fn too_large(&self, message_bytes_max: u64) -> Result<Vec<TooLargeEvent>, DbErr> {
        too_large::list(self.database.reader(), message_bytes_max).await
    }
}

/// Waits until something changes that may change; for ever where it cannot.
async fn changed<T>(watched: &mut Option<watch::Receiver<T>>) {
    if let Some(watched) = watched
        && watched.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

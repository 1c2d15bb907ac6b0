//! Events arrive: the loop that owns the inbox, acknowledgements, retries and dead letters, so that a handler is only
//! the effects of one event in one transaction.

pub mod advisories;
mod batch;
pub mod dead_letters;
pub(crate) mod entity;
mod inbox;
mod lane;
mod redrive;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::{EventKind, Lane, Service};

#[cfg(test)]
pub(crate) use inbox::{enter, trim, trim_now};

use crate::bus::{Bus, Delivery};
use crate::clock::Clock;
use crate::database::{Database, in_short, is_busy_or_away};
use crate::lifecycle::Shutdown;
use crate::outbox::Outbox;

/// An event as a handler sees it.
#[derive(Debug, Clone)]
pub struct IncomingEvent {
    /// Names the event in every copy.
    pub id: EventId,
    /// What kind of fact it is.
    pub kind: &'static EventKind,
    /// Which lane it came in.
    pub lane: Lane,
    /// The opaque id of what changed.
    pub aggregate: String,
    /// The version of what changed; a handler ignores an older one than it knows, of this aggregate only.
    pub version: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Protobuf.
    pub payload: Bytes,
    /// W3C trace context of whoever said it.
    pub traceparent: Option<String>,
    /// Which attempt this is, from 1. Attempts that failed because something was away do not count.
    pub attempt: u32,
}

impl IncomingEvent {
    /// The message in the payload. One that does not decode is the event's own fault.
    pub fn message<M: prost::Message + Default>(&self) -> Result<M, ConsumeError> {
        M::decode(self.payload.clone())
            .map_err(|error| ConsumeError::Fault(format!("the payload of {} does not decode: {error}", self.kind.name)))
    }

    fn received(delivery: &Delivery, attempt: u32) -> Self {
        let envelope = &delivery.envelope;
        Self {
            id: envelope.id,
            kind: envelope.kind,
            lane: envelope.lane,
            aggregate: envelope.aggregate.clone(),
            version: envelope.version,
            at: envelope.at,
            payload: envelope.payload.clone(),
            traceparent: envelope.traceparent.clone(),
            attempt,
        }
    }
}

/// Why the effects of an event were not committed. The text goes to the table of dead letters: nothing personal.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// The event itself is bad: this counts as an attempt, and after five the event is a dead letter.
    #[error("the event cannot be taken: {0}")]
    Fault(String),
    /// A database or a peer is away: the lane pauses and tries again, and nothing is counted.
    #[error("something needed is away: {0}")]
    Unavailable(String),
}

impl From<DbErr> for ConsumeError {
    fn from(error: DbErr) -> Self {
        let what = in_short(&error);
        if is_busy_or_away(&error) { Self::Unavailable(what) } else { Self::Fault(what) }
    }
}

/// The effects of events on one service.
#[async_trait]
pub trait Consume: Send + Sync + 'static {
    /// Takes one event. Effects, outgoing events included, go into the given transaction only: it is committed with
    /// the inbox row, or rolled back. A panic counts as a fault. It has 20 s.
    async fn consume(&self, transaction: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError>;

    /// Called after the commit, for instance to wake reconcilers. It must not fail and must be quick.
    async fn committed(&self, _event: &IncomingEvent) {}
}

/// Why the consumer ended. Nothing ends it but the drain, except a task of its own that broke.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// A lane's task ended by a panic outside a handler.
    #[error("a task of the consumer of `{service}` broke")]
    Broken {
        /// The consuming service.
        service: Service,
        /// How it ended.
        source: tokio::task::JoinError,
    },
}

/// The consumer of one service: a task for each lane, so that urgent never waits behind bulk.
#[derive(Clone)]
pub struct Consumer {
    service: Service,
    database: Database,
    bus: Bus,
    clock: Clock,
    outbox: Outbox,
    handler: Arc<dyn Consume>,
    /// How long an event is left alone after its first, second, ... fault.
    fault_delays: [Duration; 4],
    /// How many events one transaction takes.
    batch_max: usize,
}

/// The default of [`Consumer::fault_delays`].
const FAULT_DELAYS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(2)];

impl Consumer {
    /// A consumer for all events that the catalogue names for `service`. `outbox` is woken after each commit, because
    /// effects usually include events.
    pub fn new(
        service: Service,
        database: Database,
        bus: Bus,
        clock: Clock,
        outbox: Outbox,
        handler: Arc<dyn Consume>,
    ) -> Self {
        Self {
            service,
            database,
            bus,
            clock,
            outbox,
            handler,
            fault_delays: FAULT_DELAYS,
            batch_max: batch::EVENTS_MAX,
        }
    }

    /// Shortens the wait after a fault, so that a test need not take minutes.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn with_fault_delay(mut self, delay: Duration) -> Self {
        self.fault_delays = [delay; 4];
        self
    }

    /// Takes each event in a transaction of its own, to measure what batches bring.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn one_by_one(mut self) -> Self {
        self.batch_max = 1;
        self
    }

    /// Takes events until the drain; the event in hand is finished first.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), ConsumerError> {
        let service = self.service;
        let mut tasks = tokio::task::JoinSet::new();
        for lane in Lane::ALL {
            tasks.spawn(lane::run(self.clone(), lane, shutdown.clone()));
        }
        tasks.spawn(redrive::run(self.clone(), shutdown.clone()));
        tasks.spawn(advisories::run(self.clone(), shutdown.clone()));
        tasks.spawn(inbox::run_trim(self, shutdown));
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(|source| ConsumerError::Broken { service, source })?;
        }
        Ok(())
    }
}

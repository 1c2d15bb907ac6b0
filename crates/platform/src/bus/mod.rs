//! The bus: two forms, one contract, and neither is the record. The record is the producer's outbox.
//!
//! - `publish` answers with a claim for each consumer that the broker now owes a delivery, or with none.
//! - A delivery is acknowledged after the commit, or refused with a delay and comes again. Copies are possible.
//! - `settle` tells the producer that a consumer has committed; it may be lost, which costs a repeated delivery.
//! - `claims` says which published events are still the broker's, so that only the others are published again.

mod advisory;
mod delivery;
mod envelope;
mod headers;
mod in_process;
mod nats;
mod settings;
mod state;

use std::sync::Arc;

use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::{Lane, Service};
use tokio::sync::watch;

pub use advisory::AdvisoryKind;
pub(crate) use advisory::{Advisories, Advisory};
pub(crate) use delivery::{Delivery, Subscription};
pub(crate) use envelope::Envelope;
pub use in_process::InProcessBus;
pub use nats::NatsBus;
pub use settings::{BusError, NatsSettings};
pub use state::{BusState, ConsumerState, Drift, StreamState};

use crate::lifecycle::Shutdown;

/// One event on its way to the consumers that still owe a settlement for it.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) consumers: Vec<Service>,
    /// Which publication of this event it is: part of the broker's message id.
    pub(crate) generation: i64,
}

/// What the broker holds for one consumer: a place in one incarnation of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The incarnation; another number means that the stream was created again and this claim is void.
    pub(crate) epoch: i64,
    /// The place within it; zero where places mean nothing.
    pub(crate) sequence: i64,
}

/// What became of one publication for one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// The broker has it.
    Held(Claim),
    /// Not now: the broker is away, or its queue is full.
    Refused,
    /// The broker takes no message of this size. Others may pass; a setting of the broker has to be changed.
    TooLarge,
}

/// Which published events are still the broker's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claims {
    /// Only these events.
    These(Vec<EventId>),
    /// Those of this incarnation that stand above the consumer's acknowledgement floor.
    Above {
        /// The incarnation of the stream.
        epoch: i64,
        /// The floor.
        floor: i64,
    },
    /// The broker does not answer; nothing can be said now.
    Unknown,
}

/// A consumer's word that it has committed the effects of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Settlement {
    pub(crate) event_id: EventId,
    pub(crate) consumer: Service,
}

/// The bus in one of its two forms. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Bus {
    /// Within one process, without a store: what it held when the process ends is published again at the next start.
    InProcess(InProcessBus),
    /// NATS `JetStream`, as seen by one service.
    Nats(Arc<NatsBus>),
}

impl Bus {
    /// A bus within this process. All services of the process share clones of one.
    pub fn in_process() -> Self {
        Self::InProcess(InProcessBus::new(in_process::CAPACITY))
    }

    /// A bus over NATS for one service. It returns without waiting for the server: the first connection is retried in
    /// the background like any later one.
    pub async fn nats(settings: &NatsSettings, service: Service) -> Result<Self, BusError> {
        NatsBus::connect(settings, service).await.map(|bus| Self::Nats(Arc::new(bus)))
    }

    /// Whether the broker can be reached now.
    #[expect(clippy::unused_async, reason = "readiness checks are asynchronous, and another broker may have to ask")]
    pub async fn ready(&self) -> bool {
        match self {
            Self::InProcess(_) => true,
            Self::Nats(bus) => bus.is_connected(),
        }
    }

    /// Whether the bus forgets everything at a restart, so that the relay has to begin anew.
    pub(crate) fn is_volatile(&self) -> bool {
        matches!(self, Self::InProcess(_))
    }

    /// Hands events to the broker; for each publication, and in its order of consumers, what became of it.
    pub(crate) async fn publish(&self, batch: &[Publication]) -> Vec<Vec<Placement>> {
        match self {
            Self::InProcess(bus) => bus.publish(batch),
            Self::Nats(bus) => bus.publish(batch).await,
        }
    }

    /// What is delivered to one consumer in one lane, from all producers. Several subscriptions share the work.
    pub(crate) fn subscribe(&self, consumer: Service, lane: Lane) -> Subscription {
        match self {
            Self::InProcess(bus) => Subscription::InProcess(bus.subscribe(consumer, lane)),
            Self::Nats(bus) => Subscription::Nats(bus.subscribe(consumer, lane)),
        }
    }

    /// Tells the producer of an event that `consumer` has committed its effects.
    pub(crate) fn settle(&self, producer: Service, lane: Lane, settlement: Settlement) {
        match self {
            Self::InProcess(bus) => bus.settle(producer, lane, settlement),
            Self::Nats(bus) => bus.settle(producer, settlement),
        }
    }

    /// What consumers settle with this producer.
    pub(crate) async fn settlements(&self, producer: Service) -> Result<Settlements, BusError> {
        match self {
            Self::InProcess(bus) => Ok(Settlements::InProcess(bus.settlements(producer))),
            Self::Nats(bus) => bus.settlements(producer).await.map(Settlements::Nats),
        }
    }

    /// Which published events of this service are still the broker's, for one consumer and lane.
    pub(crate) async fn claims(&self, consumer: Service, lane: Lane) -> Claims {
        match self {
            Self::InProcess(bus) => bus.claims(consumer, lane),
            Self::Nats(bus) => bus.claims(consumer, lane).await,
        }
    }

    /// Keeps what the broker has of this service as it should be, until the drain.
    pub(crate) async fn keep(&self, shutdown: &Shutdown) {
        match self {
            Self::InProcess(_) => shutdown.draining().await,
            Self::Nats(bus) => bus.keep(shutdown).await,
        }
    }

    /// Changes whenever the broker is found to have lost all that it held; nothing where that only a restart can do.
    pub(crate) fn renewed(&self) -> Option<watch::Receiver<i64>> {
        match self {
            Self::InProcess(_) => None,
            Self::Nats(bus) => Some(bus.renewed()),
        }
    }

    /// What the broker says about deliveries to `consumer` that it will not make again.
    pub(crate) async fn advisories(&self, consumer: Service) -> Result<Advisories, BusError> {
        match self {
            Self::InProcess(_) => Ok(Advisories::None),
            Self::Nats(bus) => bus.advisories(consumer).await.map(Advisories::Nats),
        }
    }

    /// What the bus looks like to this service now.
    pub async fn state(&self) -> BusState {
        match self {
            Self::InProcess(_) => BusState { connected: true, in_process: true, ..BusState::default() },
            Self::Nats(bus) => bus.state().await,
        }
    }

    /// Changes whenever a queue that refused something has room again; nothing where the broker never refuses.
    pub(crate) fn room(&self) -> Option<watch::Receiver<u64>> {
        match self {
            Self::InProcess(bus) => Some(bus.room()),
            Self::Nats(_) => None,
        }
    }
}

/// The settlements that arrive at one producer.
#[derive(Debug)]
pub(crate) enum Settlements {
    InProcess(in_process::Settled),
    Nats(nats::Settled),
}

impl Settlements {
    /// Waits for at least one settlement and takes up to about `limit`. Empty when there will be no more.
    pub(crate) async fn next(&mut self, limit: usize) -> Vec<Settlement> {
        match self {
            Self::InProcess(settled) => settled.next(limit).await,
            Self::Nats(settled) => settled.next(limit).await,
        }
    }

    /// Says that these were dealt with, well or not: a broker that kept its claim until now lets go of it.
    pub(crate) fn done(&self, settlements: &[Settlement]) {
        if let Self::InProcess(settled) = self {
            settled.done(settlements);
        }
    }
}

/// How large an event is as a message, headers included, with a payload of so many bytes.
pub(crate) fn message_bytes(envelope: &Envelope, payload_bytes: usize) -> u64 {
    // The number of a publication is part of a header; the longest is assumed.
    nats::message_bytes(&headers::encode(envelope, i64::MAX), payload_bytes)
}

//! Pulling deliveries: one durable consumer for each producer and lane, created again whenever it is gone, and watched,
//! because a consumer can stop delivering without saying so.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, Info, PullConsumer, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::{self, AckKind, Message};
use futures::StreamExt;
use tocsin_proto::catalogue::{Lane, Service, consumed_by};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::super::delivery::{Delivery, Reply};
use super::super::headers;
use super::names;

/// An unanswered delivery comes again after this.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// Deliveries without an answer, over all replicas.
const UNANSWERED_MAX: i64 = 256;
/// Deliveries asked for at once.
const PULL_BATCH: usize = 32;
/// Deliveries that wait in this process beside those.
const BUFFER: usize = 4;
/// How long one request to the broker stays open, and how often the broker must show life meanwhile.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After so much silence the watchdog looks.
const SILENCE: Duration = Duration::from_secs(15);
/// So many looks without any progress although something waits, and the consumer is created again.
const STRIKES_MAX: u32 = 2;
/// The same where all permitted deliveries are unanswered, which delayed ones explain for a while.
const STRIKES_MAX_WHEN_FULL: u32 = 20;
/// The pause before trying again doubles between these.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);
/// What this release cannot read waits for one that can.
const UNREADABLE_DELAY: Duration = Duration::from_mins(2);

/// The deliveries for one consumer and lane, from all producers.
#[derive(Debug)]
pub(crate) struct Receiver {
    deliveries: mpsc::Receiver<Delivery>,
    /// One task for each producer; dropping the receiver ends them.
    _pulls: JoinSet<()>,
}

impl Receiver {
    pub(super) fn start(context: &jetstream::Context, consumer: Service, lane: Lane) -> Self {
        let (sender, deliveries) = mpsc::channel(BUFFER);
        let mut pulls = JoinSet::new();
        let mut producers: Vec<Service> = consumed_by(consumer).map(|kind| kind.producer).collect();
        producers.sort_unstable();
        producers.dedup();
        for producer in producers {
            let pull = Pull { context: context.clone(), consumer, producer, lane, sender: sender.clone() };
            pulls.spawn(pull.run());
        }
        Self { deliveries, _pulls: pulls }
    }

    pub(in crate::bus) async fn next(&mut self) -> Delivery {
        match self.deliveries.recv().await {
            Some(delivery) => delivery,
            // A service that consumes nothing has no pulls; the caller waits for its own end.
            None => std::future::pending().await,
        }
    }
}

/// The way back for one delivery.
#[derive(Debug)]
pub(crate) struct Ticket {
    message: Box<Message>,
}

impl Ticket {
    pub(in crate::bus) async fn ack(self) {
        self.answer(AckKind::Ack).await;
    }

    pub(in crate::bus) async fn nak(self, delay: Duration) {
        self.answer(AckKind::Nak(Some(delay))).await;
    }

    pub(in crate::bus) async fn progress(&self) {
        self.answer(AckKind::Progress).await;
    }

    /// An answer that is lost has the delivery come again, which changes nothing.
    async fn answer(&self, kind: AckKind) {
        if let Err(error) = self.message.ack_with(kind).await {
            debug!(reason = %error, "an answer to the broker was not sent");
        }
    }
}

/// One durable consumer.
struct Pull {
    context: jetstream::Context,
    consumer: Service,
    producer: Service,
    lane: Lane,
    sender: mpsc::Sender<Delivery>,
}

/// What the watchdog compares between two looks.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    delivered: u64,
    floor: u64,
}

impl Pull {
    async fn run(self) {
        let mut pause = RETRY_PAUSE;
        while !self.sender.is_closed() {
            if let Some(consumer) = self.create().await {
                pause = RETRY_PAUSE;
                self.deliver(&consumer).await;
            } else {
                // Until the producer has created its stream there is nothing to consume from.
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_PAUSE_MAX);
            }
        }
    }

    fn name(&self) -> String {
        names::consumer(self.consumer, self.producer, self.lane)
    }

    async fn create(&self) -> Option<PullConsumer> {
        let kinds = consumed_by(self.consumer).filter(|kind| kind.producer == self.producer);
        let config = pull::Config {
            durable_name: Some(self.name()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_deliver: -1,
            max_ack_pending: UNANSWERED_MAX,
            filter_subjects: kinds.map(|kind| kind.subject(self.lane)).collect(),
            ..pull::Config::default()
        };
        match self.context.create_consumer_on_stream(config, names::stream(self.producer)).await {
            Ok(consumer) => Some(consumer),
            Err(error) => {
                debug!(service = %self.consumer, reason = %error, "a consumer could not be created yet");
                None
            }
        }
    }

    /// Hands deliveries on until the consumer has to be created again or nobody listens.
    async fn deliver(&self, consumer: &PullConsumer) {
        let builder = consumer.stream().max_messages_per_batch(PULL_BATCH).expires(PULL_EXPIRES).heartbeat(HEARTBEAT);
        let Ok(mut messages) = builder.messages().await else { return };
        let mut strikes = 0;
        let mut last_seen = None;
        loop {
            match tokio::time::timeout(SILENCE, messages.next()).await {
                Ok(Some(Ok(message))) => {
                    strikes = 0;
                    if self.hand_on(message).await.is_none() {
                        return;
                    }
                }
                Ok(Some(Err(error))) => {
                    info!(service = %self.consumer, reason = %error.kind(), "the broker's deliveries broke off; asking again");
                    return;
                }
                Ok(None) => return,
                Err(_silence) => {
                    let Ok(info) = consumer.get_info().await else { return };
                    let seen = Progress {
                        delivered: info.delivered.consumer_sequence,
                        floor: info.ack_floor.consumer_sequence,
                    };
                    let stuck = info.num_pending > 0 && last_seen.as_ref() == Some(&seen);
                    strikes = if stuck { strikes + 1 } else { 0 };
                    last_seen = Some(seen);
                    if strikes >= strikes_max(&info) {
                        self.start_over().await;
                        return;
                    }
                }
            }
        }
    }

    /// `None` when nobody listens any more.
    async fn hand_on(&self, message: Message) -> Option<()> {
        let delivered = message.info().map_or(1, |info| u32::try_from(info.delivered).unwrap_or(u32::MAX));
        let decoded = message
            .headers
            .as_ref()
            .ok_or(headers::HeaderError::Missing { name: "ce-type" })
            .and_then(|headers| headers::decode(headers, message.payload.clone()));
        let ticket = Ticket { message: Box::new(message) };
        match decoded {
            Ok(envelope) => {
                let delivery = Delivery { envelope: Arc::new(envelope), delivered, reply: Reply::Nats(ticket) };
                self.sender.send(delivery).await.ok()
            }
            Err(error) => {
                warn!(service = %self.consumer, reason = %error, "a message on the bus is no event that this release knows");
                ticket.nak(UNREADABLE_DELAY).await;
                Some(())
            }
        }
    }

    /// Everything in the stream is delivered again; the inbox knows what was taken already.
    async fn start_over(&self) {
        warn!(service = %self.consumer, "a consumer made no progress and is created again");
        let deleted = self.context.delete_consumer_from_stream(self.name(), names::stream(self.producer)).await;
        if let Err(error) = deleted {
            debug!(service = %self.consumer, reason = %error, "the consumer could not be deleted");
        }
    }
}

fn strikes_max(info: &Info) -> u32 {
    let full = i64::try_from(info.num_ack_pending).unwrap_or(i64::MAX) >= UNANSWERED_MAX;
    if full { STRIKES_MAX_WHEN_FULL } else { STRIKES_MAX }
}

/// Whether the answer means that this consumer does not exist.
pub(super) fn is_no_consumer(kind: ConsumerInfoErrorKind) -> bool {
    match kind {
        ConsumerInfoErrorKind::NotFound => true,
        ConsumerInfoErrorKind::JetStream(error) => error.error_code() == jetstream::ErrorCode::CONSUMER_NOT_FOUND,
        _ => false,
    }
}

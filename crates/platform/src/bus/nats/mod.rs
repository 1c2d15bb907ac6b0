//! The bus over NATS `JetStream`: a stream for each producing service, a durable pull consumer for each consuming
//! service, producer and lane, and settlements as plain messages.
//!
//! Only the producer creates its stream and only the consumer creates its consumers, so that permissions can say so.

mod connect;
mod names;
mod pull;
mod settle;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::Info as ConsumerInfo;
use async_nats::jetstream::context::{GetStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, stream};
use tocsin_proto::catalogue::{Lane, Service, produced_by};
use tokio::sync::mpsc;
use tracing::warn;

use super::{BusError, Claim, Claims, NatsSettings, Publication, Settlement, headers};

pub(crate) use pull::{Receiver, Ticket};
pub(crate) use settle::Settled;

/// How long the broker may take to acknowledge a publication or answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a stream keeps an event. The record is the outbox, so this only bounds the broker's disk.
const STREAM_AGE_MAX: Duration = Duration::from_hours(24);
/// Within this time two messages with the same id are one.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// Settlements that wait to be sent; beyond it they are dropped, which costs a repeated delivery.
const SETTLEMENTS_MAX: usize = 65_536;

/// The bus over NATS, as seen by one service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NatsBus {
    client: async_nats::Client,
    context: jetstream::Context,
    service: Service,
    replicas: usize,
    /// The incarnation of our own stream, in nanoseconds since the epoch; zero while it is not known to exist.
    epoch: Arc<AtomicI64>,
    settlements: mpsc::Sender<(Service, Settlement)>,
}

impl NatsBus {
    pub(super) async fn connect(settings: &NatsSettings, service: Service) -> Result<Self, BusError> {
        let client = connect::connect(settings, service).await?;
        let context = jetstream::context::ContextBuilder::new().timeout(ANSWER_TIMEOUT).build(client.clone());
        let (sender, receiver) = mpsc::channel(SETTLEMENTS_MAX);
        // It ends with the last clone of the sender.
        tokio::spawn(settle::send(client.clone(), receiver));
        let epoch = Arc::new(AtomicI64::new(0));
        Ok(Self { client, context, service, replicas: settings.replicas, epoch, settlements: sender })
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Publishes a batch with all acknowledgements in flight at once.
    pub(super) async fn publish(&self, batch: &[Publication]) -> Vec<Vec<Option<Claim>>> {
        let none = || batch.iter().map(|publication| vec![None; publication.consumers.len()]).collect();
        // Messages written while disconnected would pile up in the client; the outbox keeps them better.
        if !self.is_connected() {
            return none();
        }
        let Some(epoch) = self.known_epoch().await else { return none() };
        let mut waiting = Vec::with_capacity(batch.len());
        for publication in batch {
            let envelope = &publication.envelope;
            let message = PublishMessage::build()
                .payload(envelope.payload.clone())
                .headers(headers::encode(envelope, publication.generation));
            waiting.push(self.context.send_publish(envelope.kind.subject(envelope.lane), message).await);
        }
        // Together, because each has a time limit that begins when it is first asked.
        let acknowledgements = waiting.into_iter().map(async |sent| match sent {
            Ok(sent) => sent.await,
            Err(error) => Err(error),
        });
        let acknowledgements = futures::future::join_all(acknowledgements).await;
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut failed = None;
        for (publication, acknowledged) in batch.iter().zip(acknowledgements) {
            // An acknowledgement of a duplicate says where the first copy stands: that is stored too.
            let claim = match acknowledged {
                Ok(stored) => Some(Claim { epoch, sequence: i64::try_from(stored.sequence).unwrap_or(i64::MAX) }),
                Err(error) => {
                    failed = Some(error.kind());
                    None
                }
            };
            outcomes.push(vec![claim; publication.consumers.len()]);
        }
        if let Some(kind) = failed {
            self.publish_failed(kind);
        }
        outcomes
    }

    fn publish_failed(&self, kind: PublishErrorKind) {
        // Whatever the reason was, look at the stream again before the next batch.
        self.epoch.store(0, Ordering::Relaxed);
        if kind == PublishErrorKind::MaxPayloadExceeded {
            warn!(service = %self.service, "an event is larger than the broker takes: raise its max_payload");
        } else {
            warn!(service = %self.service, reason = %kind, "the broker did not take all events; they will be published again");
        }
    }

    /// The incarnation of our stream as it was at some moment before now: a claim that names an older one than holds
    /// the event is found out later and only costs a copy.
    async fn known_epoch(&self) -> Option<i64> {
        match self.epoch.load(Ordering::Relaxed) {
            0 => self.create_stream().await,
            epoch => Some(epoch),
        }
    }

    /// Creates our own stream, or brings it in line with the settings.
    async fn create_stream(&self) -> Option<i64> {
        let subjects = produced_by(self.service).flat_map(|kind| Lane::ALL.map(|lane| kind.subject(lane))).collect();
        let config = stream::Config {
            name: names::stream(self.service),
            subjects,
            retention: stream::RetentionPolicy::Limits,
            discard: stream::DiscardPolicy::Old,
            storage: stream::StorageType::File,
            max_age: STREAM_AGE_MAX,
            max_messages: -1,
            max_bytes: -1,
            max_messages_per_subject: -1,
            duplicate_window: DUPLICATE_WINDOW,
            num_replicas: self.replicas.max(1),
            ..stream::Config::default()
        };
        let created = match self.context.create_or_update_stream(config).await {
            Ok(info) => nanoseconds(&info),
            Err(error) => {
                warn!(service = %self.service, reason = %error.kind(), "the stream could not be created or updated");
                let found = self.context.get_stream(names::stream(self.service)).await.ok()?;
                nanoseconds(found.cached_info())
            }
        };
        self.epoch.store(created, Ordering::Relaxed);
        Some(created)
    }

    pub(super) fn subscribe(&self, consumer: Service, lane: Lane) -> Receiver {
        Receiver::start(&self.context, consumer, lane)
    }

    pub(super) fn settle(&self, producer: Service, settlement: Settlement) {
        // A full queue means that the broker is away: the producer will publish again, and we will settle again.
        let _ = self.settlements.try_send((producer, settlement));
    }

    pub(super) async fn settlements(&self, producer: Service) -> Result<Settled, BusError> {
        Settled::subscribe(&self.client, producer).await
    }

    /// Asks the broker how far a consumer has come; creates our stream again if it is gone.
    pub(super) async fn claims(&self, producer: Service, consumer: Service, lane: Lane) -> Claims {
        if !self.is_connected() {
            return Claims::Unknown;
        }
        let stream = match self.context.get_stream(names::stream(producer)).await {
            Ok(stream) => stream,
            Err(error) if is_missing(error.kind()) => {
                let created = self.create_stream().await;
                return created.map_or(Claims::Unknown, |epoch| Claims::Above { epoch, floor: 0 });
            }
            Err(_) => return Claims::Unknown,
        };
        let epoch = nanoseconds(stream.cached_info());
        self.epoch.store(epoch, Ordering::Relaxed);
        match stream.consumer_info(names::consumer(consumer, producer, lane)).await {
            Ok(info) => Claims::Above { epoch, floor: floor(&info) },
            // A consumer that does not exist yet will begin with the oldest event of the stream.
            Err(error) if pull::is_no_consumer(error.kind()) => Claims::Above { epoch, floor: 0 },
            Err(_) => Claims::Unknown,
        }
    }
}

fn floor(info: &ConsumerInfo) -> i64 {
    i64::try_from(info.ack_floor.stream_sequence).unwrap_or(i64::MAX)
}

fn nanoseconds(info: &stream::Info) -> i64 {
    i64::try_from(info.created.unix_timestamp_nanos()).unwrap_or(i64::MAX)
}

fn is_missing(kind: GetStreamErrorKind) -> bool {
    match kind {
        GetStreamErrorKind::JetStream(error) => error.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND,
        _ => false,
    }
}

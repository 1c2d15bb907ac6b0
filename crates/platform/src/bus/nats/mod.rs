//! The bus over NATS `JetStream`: a stream for each producing service, a durable pull consumer for each consuming
//! service, producer and lane, and settlements as plain messages.
//!
//! Only the producer creates its stream and only the consumer creates its consumers, so that permissions can say so.

mod advisories;
mod connect;
mod durable;
mod names;
mod publish;
mod pull;
mod settle;
mod stream;

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::Info as ConsumerInfo;
use tocsin_proto::catalogue::{Lane, Service};
use tokio::sync::{mpsc, watch};

use super::state::{BusState, StreamState};
use super::{BusError, Claims, NatsSettings, Settlement};
use crate::lifecycle::Shutdown;
use durable::Durable;
use stream::OwnStream;

pub(crate) use advisories::Advisories;
pub(super) use publish::message_bytes;
pub(crate) use pull::{Receiver, Ticket};
pub(crate) use settle::Settled;

/// How long the broker may take to acknowledge a publication or answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Our own stream is looked at this often, and at every new connection.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// Settlements that wait to be sent; beyond it they are dropped, which costs a repeated delivery.
const SETTLEMENTS_MAX: usize = 65_536;

/// The bus over NATS, as seen by one service.
#[derive(Debug)]
pub struct NatsBus {
    client: async_nats::Client,
    context: jetstream::Context,
    service: Service,
    stream: OwnStream,
    too_large: publish::TooLarge,
    /// Counts how often the client has connected.
    connected: watch::Receiver<u64>,
    settlements: mpsc::Sender<(Service, Settlement)>,
}

impl NatsBus {
    pub(super) async fn connect(settings: &NatsSettings, service: Service) -> Result<Self, BusError> {
        let (connections, connected) = watch::channel(0);
        let client = connect::connect(settings, service, connections).await?;
        let context = jetstream::context::ContextBuilder::new().timeout(ANSWER_TIMEOUT).build(client.clone());
        let (sender, receiver) = mpsc::channel(SETTLEMENTS_MAX);
        // It ends with the sender.
        tokio::spawn(settle::send(client.clone(), receiver));
        let stream = OwnStream::new(context.clone(), service, settings.replicas);
        Ok(Self {
            client,
            context,
            service,
            stream,
            too_large: publish::TooLarge::default(),
            connected,
            settlements: sender,
        })
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Keeps our own stream there and as it should be, until the drain.
    pub(super) async fn keep(&self, shutdown: &Shutdown) {
        let mut connected = self.connected.clone();
        loop {
            if self.is_connected() {
                self.stream.ensure().await;
            }
            tokio::select! {
                () = shutdown.draining() => return,
                Ok(()) = connected.changed() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    /// Changes whenever our own stream is found to be another one than before: what the old one held is lost.
    pub(super) fn renewed(&self) -> watch::Receiver<i64> {
        self.stream.renewed()
    }

    pub(super) fn subscribe(&self, consumer: Service, lane: Lane) -> Receiver {
        Receiver::start(&self.context, &self.connected, consumer, lane)
    }

    pub(super) fn settle(&self, producer: Service, settlement: Settlement) {
        // A full queue means that the broker is away: the producer will publish again, and we will settle again.
        let _ = self.settlements.try_send((producer, settlement));
    }

    pub(super) async fn settlements(&self, producer: Service) -> Result<Settled, BusError> {
        Settled::subscribe(&self.client, producer).await
    }

    pub(super) async fn advisories(&self, consumer: Service) -> Result<Advisories, BusError> {
        Advisories::subscribe(&self.client, consumer).await
    }

    /// Asks the broker how far a consumer has come; creates our stream again if it is gone.
    pub(super) async fn claims(&self, consumer: Service, lane: Lane) -> Claims {
        if !self.is_connected() {
            return Claims::Unknown;
        }
        let Some(epoch) = self.stream.ensure().await else { return Claims::Unknown };
        match self.durable(consumer, self.service, lane).info().await {
            Ok(Some(info)) => Claims::Above { epoch, floor: floor(&info) },
            // A consumer that does not exist yet will begin with the oldest event of the stream.
            Ok(None) => Claims::Above { epoch, floor: 0 },
            Err(_) => Claims::Unknown,
        }
    }

    /// What the broker has of this service's, for people.
    pub(super) async fn state(&self) -> BusState {
        let message_bytes_max = self.message_bytes_max();
        if !self.is_connected() {
            return BusState { message_bytes_max, ..BusState::default() };
        }
        let name = names::stream(self.service);
        let stream = self.stream.look().await.ok().map(|found| match found {
            Some((info, drift)) => {
                StreamState { name, exists: true, messages: info.state.messages, bytes: info.state.bytes, drift }
            }
            None => StreamState { name, exists: false, messages: 0, bytes: 0, drift: Vec::new() },
        });
        let mut consumers = Vec::new();
        for producer in durable::producers(self.service) {
            for lane in Lane::ALL {
                consumers.extend(self.durable(self.service, producer, lane).state().await);
            }
        }
        BusState { connected: true, in_process: false, stream, consumers, message_bytes_max }
    }

    fn durable(&self, consumer: Service, producer: Service, lane: Lane) -> Durable {
        Durable { context: self.context.clone(), consumer, producer, lane }
    }
}

fn floor(info: &ConsumerInfo) -> i64 {
    i64::try_from(info.ack_floor.stream_sequence).unwrap_or(i64::MAX)
}

//! Pulling deliveries: one durable consumer for each producer and lane, made again whenever it is gone or was changed,
//! and watched, because a consumer can stop delivering without saying so.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{Info, PullConsumer, pull};
use async_nats::jetstream::{self, AckKind, Message};
use futures::{FutureExt, StreamExt};
use tocsin_proto::catalogue::{Lane, Service};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::super::delivery::{Delivery, Reply};
use super::super::headers;
use super::super::state::{Drift, in_words};
use super::durable::{self, Durable, UNANSWERED_MAX};

/// Deliveries asked for at once.
const PULL_BATCH: usize = 64;
/// Deliveries that wait in this process beside those: a batch of the lane.
const BUFFER: usize = 64;
/// How long one request to the broker stays open, and how often the broker must show life meanwhile.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The watchdog looks this often.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// So many looks without any progress although something waits, and the consumer is made anew.
const STRIKES_MAX: u32 = 6;
/// The same where all permitted deliveries are unanswered, which delayed ones explain for a while.
const STRIKES_MAX_WHEN_FULL: u32 = 60;
/// The pause before trying again doubles between these.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);
/// What this release cannot read waits for one that can.
const UNREADABLE_DELAY: Duration = Duration::from_mins(2);
/// How long the pulls have to give back what they hold.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The deliveries for one consumer and lane, from all producers.
#[derive(Debug)]
pub(crate) struct Receiver {
    deliveries: mpsc::Receiver<Delivery>,
    /// One task for each producer; dropping the receiver ends them.
    pulls: JoinSet<()>,
}

impl Receiver {
    pub(super) fn start(
        context: &jetstream::Context,
        connected: &watch::Receiver<u64>,
        consumer: Service,
        lane: Lane,
    ) -> Self {
        let (sender, deliveries) = mpsc::channel(BUFFER);
        let mut pulls = JoinSet::new();
        for producer in durable::producers(consumer) {
            let durable = Durable { context: context.clone(), consumer, producer, lane };
            pulls.spawn(
                Pull { durable, connected: connected.clone(), sender: sender.clone(), accepted: Vec::new() }.run(),
            );
        }
        Self { deliveries, pulls }
    }

    pub(in crate::bus) async fn next(&mut self) -> Delivery {
        match self.deliveries.recv().await {
            Some(delivery) => delivery,
            // A service that consumes nothing has no pulls; the caller waits for its own end.
            None => std::future::pending().await,
        }
    }

    pub(in crate::bus) fn arrived(&mut self) -> Option<Delivery> {
        self.deliveries.try_recv().ok()
    }

    /// Ends the pulls; what they hold is given back, so that it need not wait for a timeout.
    pub(in crate::bus) async fn close(mut self, delay: Duration) {
        self.deliveries.close();
        while let Ok(delivery) = self.deliveries.try_recv() {
            delivery.nak(delay).await;
        }
        let ended = async { while self.pulls.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSE_LIMIT, ended).await.is_err() {
            debug!("what was not given back in time comes again later");
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

/// One durable consumer, being pulled from.
struct Pull {
    durable: Durable,
    /// Counts how often the client has connected.
    connected: watch::Receiver<u64>,
    sender: mpsc::Sender<Delivery>,
    /// What the server does not let be as it should.
    accepted: Vec<Drift>,
}

/// What the watchdog compares between two looks.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    delivered: u64,
    floor: u64,
}

/// What the watchdog remembers while one consumer is pulled from.
#[derive(Debug, Default)]
struct Watch {
    strikes: u32,
    seen: Option<Progress>,
}

impl Pull {
    async fn run(mut self) {
        let mut pause = RETRY_PAUSE;
        while !self.sender.is_closed() {
            if let Some(consumer) = self.durable.ready(&self.accepted).await {
                pause = RETRY_PAUSE;
                self.accept(self.durable.drift(consumer.cached_info()));
                self.deliver(&consumer).await;
            } else {
                tokio::select! {
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(RETRY_PAUSE_MAX),
                    Ok(()) = self.connected.changed() => pause = RETRY_PAUSE,
                    () = self.sender.closed() => {}
                }
            }
        }
    }

    /// Takes what still differs for what this server has to offer, and names it once.
    fn accept(&mut self, drift: Vec<Drift>) {
        if !drift.is_empty() && self.accepted != drift {
            warn!(service = %self.durable.consumer, consumer = self.durable.name(), reason = in_words(&drift), "settings of a consumer cannot be repaired: change them on the broker");
        }
        self.accepted = drift;
    }

    /// Hands deliveries on until the consumer has to be made again or nobody listens, then gives back the others.
    async fn deliver(&mut self, consumer: &PullConsumer) {
        let builder = consumer.stream().max_messages_per_batch(PULL_BATCH).expires(PULL_EXPIRES).heartbeat(HEARTBEAT);
        let Ok(mut messages) = builder.messages().await else { return };
        self.hand_on_all(&mut messages).await;
        while let Some(Some(Ok(message))) = messages.next().now_or_never() {
            Ticket { message: Box::new(message) }.nak(Duration::ZERO).await;
        }
    }

    async fn hand_on_all(&mut self, messages: &mut pull::Stream) {
        let mut watch = Watch::default();
        let mut next_look = Instant::now() + LOOK_INTERVAL;
        self.connected.mark_unchanged();
        loop {
            let silent = tokio::select! {
                message = messages.next() => match message {
                    Some(Ok(message)) => {
                        if self.hand_on(message).await.is_none() {
                            return;
                        }
                        if Instant::now() < next_look {
                            continue;
                        }
                        // Looked at now and then under load too, because a setting may have been changed.
                        false
                    }
                    Some(Err(error)) => {
                        info!(service = %self.durable.consumer, reason = %error.kind(), "the broker's deliveries broke off; asking again");
                        return;
                    }
                    None => return,
                },
                // The store may have been emptied meanwhile, which the client cannot know.
                Ok(()) = self.connected.changed() => true,
                () = tokio::time::sleep_until(next_look) => true,
                () = self.sender.closed() => return,
            };
            if !self.is_well(&mut watch, silent).await {
                return;
            }
            next_look = Instant::now() + LOOK_INTERVAL;
        }
    }

    /// Whether the consumer is there, as it should be, and gets on with what waits.
    async fn is_well(&self, watch: &mut Watch, silent: bool) -> bool {
        let Ok(Some(info)) = self.durable.info().await else { return false };
        if self.durable.drift(&info) != self.accepted {
            return false;
        }
        let seen = Progress { delivered: info.delivered.consumer_sequence, floor: info.ack_floor.consumer_sequence };
        let stuck = silent && info.num_pending > 0 && watch.seen.as_ref() == Some(&seen);
        watch.strikes = if stuck { watch.strikes + 1 } else { 0 };
        watch.seen = Some(seen);
        if watch.strikes >= strikes_max(&info) {
            warn!(service = %self.durable.consumer, consumer = self.durable.name(), "a consumer makes no progress");
            self.durable.delete().await;
            return false;
        }
        true
    }

    /// `None` when nobody listens any more; then the delivery is given back.
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
                match self.sender.send(delivery).await {
                    Ok(()) => Some(()),
                    Err(mpsc::error::SendError(delivery)) => {
                        delivery.nak(Duration::ZERO).await;
                        None
                    }
                }
            }
            Err(error) => {
                warn!(service = %self.durable.consumer, reason = %error, "a message on the bus is no event that this release knows");
                ticket.nak(UNREADABLE_DELAY).await;
                Some(())
            }
        }
    }
}

fn strikes_max(info: &Info) -> u32 {
    let full = i64::try_from(info.num_ack_pending).unwrap_or(i64::MAX) >= UNANSWERED_MAX;
    if full { STRIKES_MAX_WHEN_FULL } else { STRIKES_MAX }
}

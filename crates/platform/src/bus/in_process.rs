//! The bus within one process: a bounded queue for each consumer and lane, and no store.
//!
//! A queue remembers every event from the publication until the producer has dealt with its settlement, and counts all
//! of them towards its bound. So an event that is held is never queued twice, and a full queue gives no claim.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::{Lane, Service};
use tokio::sync::{Notify, mpsc, watch};

use super::delivery::{Delivery, Reply};
use super::envelope::Envelope;
use super::{Claim, Claims, Placement, Publication, Settlement};

/// How many events one consumer's lane holds before it refuses more.
pub(super) const CAPACITY: usize = 1024;
/// Settlements that wait for one producer; beyond it they are dropped, which costs a repeated delivery.
const SETTLEMENTS_MAX: usize = 16_384;
/// A delivery that was dropped without an answer comes again after this.
const DROPPED_DELAY: Duration = Duration::from_secs(1);

/// A bus within one process. Cheap to clone; clones are the same bus.
#[derive(Clone, Debug)]
pub struct InProcessBus {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    capacity: usize,
    queues: HashMap<(Service, Lane), Arc<Queue>>,
    settlements: Mutex<HashMap<Service, mpsc::Sender<(Lane, Settlement)>>>,
    room: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<EventId>,
    held: HashMap<EventId, Held>,
    /// Something was refused since the last time there was room.
    refused: bool,
}

#[derive(Debug)]
struct Held {
    envelope: Arc<Envelope>,
    delivered: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// In the queue, or waiting for a delay to pass.
    Waiting,
    /// In a consumer's hands.
    Delivered,
    /// The consumer has committed; the producer has not yet dealt with the settlement.
    Settling,
}

/// A panic while the lock was held leaves the queue as usable as before: each change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl InProcessBus {
    pub(super) fn new(capacity: usize) -> Self {
        let pairs = Service::ALL.into_iter().flat_map(|service| Lane::ALL.map(|lane| (service, lane)));
        let queues = pairs.map(|pair| (pair, Arc::default())).collect();
        let room = watch::Sender::new(0);
        Self { shared: Arc::new(Shared { capacity, queues, settlements: Mutex::default(), room }) }
    }

    /// A bus whose queues hold only `capacity` events each.
    #[cfg(any(test, feature = "testing"))]
    pub fn with_capacity(capacity: usize) -> Self {
        Self::new(capacity)
    }

    /// Loses everything that it holds, as a restart does.
    #[cfg(test)]
    pub(crate) fn forget(&self) {
        for queue in self.shared.queues.values() {
            *lock(&queue.state) = State::default();
        }
    }

    fn queue(&self, consumer: Service, lane: Lane) -> Option<&Arc<Queue>> {
        self.shared.queues.get(&(consumer, lane))
    }

    pub(super) fn publish(&self, batch: &[Publication]) -> Vec<Vec<Placement>> {
        let offer = |publication: &Publication, consumer: Service| {
            let queue = self.queue(consumer, publication.envelope.lane);
            let held = queue.is_some_and(|queue| queue.offer(&publication.envelope, self.shared.capacity));
            if held { Placement::Held(Claim { epoch: 0, sequence: 0 }) } else { Placement::Refused }
        };
        let all = |publication: &Publication| {
            publication.consumers.iter().map(|consumer| offer(publication, *consumer)).collect()
        };
        batch.iter().map(all).collect()
    }

    pub(super) fn subscribe(&self, consumer: Service, lane: Lane) -> Receiver {
        let queue = self.queue(consumer, lane).map(Arc::clone).unwrap_or_default();
        Receiver { queue, shared: Arc::clone(&self.shared) }
    }

    pub(super) fn settle(&self, producer: Service, lane: Lane, settlement: Settlement) {
        let Some(queue) = self.queue(settlement.consumer, lane) else { return };
        queue.set_stage(settlement.event_id, Stage::Settling);
        let sender = lock(&self.shared.settlements).get(&producer).cloned();
        let taken = sender.is_some_and(|sender| sender.try_send((lane, settlement)).is_ok());
        if !taken {
            // Nobody will ever say that it was dealt with.
            self.shared.release(queue, &[settlement.event_id]);
        }
    }

    pub(super) fn settlements(&self, producer: Service) -> Settled {
        let (sender, receiver) = mpsc::channel(SETTLEMENTS_MAX);
        lock(&self.shared.settlements).insert(producer, sender);
        Settled { receiver, shared: Arc::clone(&self.shared), lanes: HashMap::new() }
    }

    pub(super) fn claims(&self, consumer: Service, lane: Lane) -> Claims {
        let held = self.queue(consumer, lane).map(|queue| lock(&queue.state).held.keys().copied().collect());
        Claims::These(held.unwrap_or_default())
    }

    pub(super) fn room(&self) -> watch::Receiver<u64> {
        self.shared.room.subscribe()
    }
}

impl Shared {
    /// Lets go of events, and says so if somebody waits for room.
    fn release(&self, queue: &Queue, events: &[EventId]) {
        let mut state = lock(&queue.state);
        for event in events {
            state.held.remove(event);
        }
        if state.refused && state.held.len() <= self.capacity / 2 {
            state.refused = false;
            drop(state);
            self.room.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

impl Queue {
    /// Whether the event is held now, because it was taken or because it already was.
    fn offer(&self, envelope: &Arc<Envelope>, capacity: usize) -> bool {
        let mut state = lock(&self.state);
        if state.held.contains_key(&envelope.id) {
            return true;
        }
        if state.held.len() >= capacity {
            state.refused = true;
            return false;
        }
        let held = Held { envelope: Arc::clone(envelope), delivered: 0, stage: Stage::Waiting };
        state.held.insert(envelope.id, held);
        state.ready.push_back(envelope.id);
        drop(state);
        self.ready.notify_one();
        true
    }

    fn take(&self) -> Option<(Arc<Envelope>, u32)> {
        let mut state = lock(&self.state);
        while let Some(event) = state.ready.pop_front() {
            // What was settled meanwhile by another copy is no longer held.
            if let Some(held) = state.held.get_mut(&event)
                && held.stage == Stage::Waiting
            {
                held.stage = Stage::Delivered;
                held.delivered = held.delivered.saturating_add(1);
                let taken = (Arc::clone(&held.envelope), held.delivered);
                if !state.ready.is_empty() {
                    self.ready.notify_one();
                }
                return Some(taken);
            }
        }
        None
    }

    fn set_stage(&self, event: EventId, stage: Stage) {
        if let Some(held) = lock(&self.state).held.get_mut(&event) {
            held.stage = stage;
        }
    }

    /// Puts a delivered event back into the queue.
    fn put_back(&self, event: EventId) {
        let mut state = lock(&self.state);
        let Some(held) = state.held.get_mut(&event).filter(|held| held.stage == Stage::Delivered) else { return };
        held.stage = Stage::Waiting;
        state.ready.push_back(event);
        drop(state);
        self.ready.notify_one();
    }
}

/// The deliveries for one consumer and lane.
#[derive(Debug)]
pub(crate) struct Receiver {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
}

impl Receiver {
    pub(super) async fn next(&mut self) -> Delivery {
        loop {
            if let Some(delivery) = self.arrived() {
                return delivery;
            }
            self.queue.ready.notified().await;
        }
    }

    pub(super) fn arrived(&self) -> Option<Delivery> {
        let (envelope, delivered) = self.queue.take()?;
        let (queue, shared) = (Arc::clone(&self.queue), Arc::clone(&self.shared));
        let ticket = Ticket { event: envelope.id, queue, shared, answered: false };
        Some(Delivery { envelope, delivered, reply: Reply::InProcess(ticket) })
    }
}

/// The way back for one delivery.
#[derive(Debug)]
pub(crate) struct Ticket {
    event: EventId,
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    answered: bool,
}

impl Ticket {
    /// An event that is being settled stays held until the producer has dealt with it.
    pub(super) fn ack(mut self) {
        self.answered = true;
        let settling = lock(&self.queue.state).held.get(&self.event).is_some_and(|held| held.stage == Stage::Settling);
        if !settling {
            self.shared.release(&self.queue, &[self.event]);
        }
    }

    pub(super) fn nak(mut self, delay: Duration) {
        self.answered = true;
        self.return_after(delay);
    }

    fn return_after(&self, delay: Duration) {
        let (queue, event) = (Arc::clone(&self.queue), self.event);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    tokio::time::sleep(delay).await;
                    queue.put_back(event);
                });
            }
            Err(_) => queue.put_back(event),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.answered {
            self.return_after(DROPPED_DELAY);
        }
    }
}

/// The settlements that arrive at one producer.
#[derive(Debug)]
pub(crate) struct Settled {
    receiver: mpsc::Receiver<(Lane, Settlement)>,
    shared: Arc<Shared>,
    /// In which queue each settlement that was handed out is still held.
    lanes: HashMap<Settlement, Lane>,
}

impl Settled {
    pub(super) async fn next(&mut self, limit: usize) -> Vec<Settlement> {
        let mut batch = Vec::new();
        self.receiver.recv_many(&mut batch, limit).await;
        // Whoever asks for more has dealt with what came before.
        self.lanes.clear();
        self.lanes.extend(batch.iter().map(|(lane, settlement)| (*settlement, *lane)));
        batch.into_iter().map(|(_, settlement)| settlement).collect()
    }

    pub(super) fn done(&self, settlements: &[Settlement]) {
        for settlement in settlements {
            let lane = self.lanes.get(settlement);
            let queue = lane.and_then(|lane| self.shared.queues.get(&(settlement.consumer, *lane)));
            if let Some(queue) = queue {
                self.shared.release(queue, &[settlement.event_id]);
            }
        }
    }
}

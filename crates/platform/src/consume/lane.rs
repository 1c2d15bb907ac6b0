//! One lane of one consumer: events in order, one transaction each, and the policy for what goes wrong.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use sea_orm::{DatabaseTransaction, DbErr};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::Lane;
use tracing::{Instrument, error, info_span, warn};

use super::{ConsumeError, Consumer, IncomingEvent, dead_letters, inbox};
use crate::bus::{Delivery, Settlement, Subscription};
use crate::lifecycle::Shutdown;

/// After so many faults an event is a dead letter.
const ATTEMPTS_MAX: u32 = 5;
/// How long a handler may take; a third less than the broker waits for an answer.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(20);
/// The lane's first pause while something is away; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// After a pause this long the event is given back, and the lane takes the next one.
const GIVEN_BACK_AFTER: Duration = Duration::from_secs(1);
/// An event that was given back because something is away comes again after this.
const AWAY_DELAY: Duration = Duration::from_secs(2);
/// An event that is given back at the drain comes again after this.
const GIVEN_BACK_DELAY: Duration = Duration::from_millis(100);
/// Events whose faults are remembered; beyond it the count starts anew, which only means more attempts.
const FAULTS_REMEMBERED_MAX: usize = 4_096;

/// Takes events until the drain.
pub(super) async fn run(consumer: Consumer, lane: Lane, shutdown: Shutdown) {
    let mut subscription: Subscription = consumer.bus.subscribe(consumer.service, lane);
    let mut faults = HashMap::new();
    loop {
        let delivery = tokio::select! {
            biased;
            () = shutdown.draining() => return,
            delivery = subscription.next() => delivery,
        };
        take(&consumer, delivery, &mut faults, &shutdown).await;
    }
}

/// What became of one attempt.
enum Outcome {
    Committed,
    /// A copy of what was committed before.
    Known,
    Fault(String),
    Away(String),
}

async fn take(consumer: &Consumer, delivery: Delivery, faults: &mut HashMap<EventId, u32>, shutdown: &Shutdown) {
    let mut event = IncomingEvent::received(&delivery, 1);
    let mut pause = PAUSE;
    loop {
        let failed = faults.get(&event.id).copied().unwrap_or(0);
        event.attempt = failed + 1;
        let outcome = if failed < ATTEMPTS_MAX {
            attempt(consumer, &event).await
        } else {
            // It was already given up, but custody could not be committed.
            Outcome::Fault(String::from("the attempts were used up"))
        };
        let away = match outcome {
            Outcome::Committed => {
                consumer.outbox.wake();
                finish(consumer, delivery, faults).await;
                return consumer.handler.committed(&event).await;
            }
            Outcome::Known => return finish(consumer, delivery, faults).await,
            Outcome::Fault(fault) => match failed_once_more(consumer, &event, &fault, faults).await {
                Ok(true) => return finish(consumer, delivery, faults).await,
                Ok(false) => {
                    let failed = faults.get(&event.id).copied().unwrap_or(1).max(delivery.delivered.min(ATTEMPTS_MAX));
                    return delivery.nak(fault_delay(&consumer.fault_delays, failed)).await;
                }
                Err(error) => error.to_string(),
            },
            Outcome::Away(reason) => reason,
        };
        if pause == PAUSE {
            warn!(service = %consumer.service, lane = event.lane.as_str(), reason = away.as_str(), "the lane waits for something that is away");
        }
        delivery.progress().await;
        tokio::select! {
            () = shutdown.draining() => return delivery.nak(GIVEN_BACK_DELAY).await,
            () = tokio::time::sleep(pause) => {}
        }
        if pause >= GIVEN_BACK_AFTER {
            // What is awaited may stand behind this very event, so the lane does not wait for it for ever.
            return delivery.nak(AWAY_DELAY).await;
        }
        pause *= 2;
    }
}

fn fault_delay(delays: &[Duration; 4], failed: u32) -> Duration {
    let [first, second, third, later] = *delays;
    match failed {
        0 | 1 => first,
        2 => second,
        3 => third,
        _ => later,
    }
}

/// Committed, or known: the producer may forget it, and the broker too. In that order, because the broker's claim keeps
/// the producer from publishing it again meanwhile.
async fn finish(consumer: &Consumer, delivery: Delivery, faults: &mut HashMap<EventId, u32>) {
    let (id, lane, producer) = (delivery.envelope.id, delivery.envelope.lane, delivery.envelope.kind.producer);
    faults.remove(&id);
    consumer.bus.settle(producer, lane, Settlement { event_id: id, consumer: consumer.service });
    delivery.ack().await;
}

/// One attempt: the inbox row and the effects in one transaction.
async fn attempt(consumer: &Consumer, event: &IncomingEvent) -> Outcome {
    let transaction = match consumer.database.begin().await {
        Ok(transaction) => transaction,
        Err(error) => return Outcome::from(ConsumeError::from(error)),
    };
    match inbox::enter(&transaction, consumer.service, event.id, consumer.clock.now_ms()).await {
        Ok(true) => {}
        Ok(false) => {
            return match crate::database::commit(transaction, "consume.known").await {
                Ok(()) => Outcome::Known,
                Err(error) => Outcome::from(ConsumeError::from(error)),
            };
        }
        Err(error) => return undo(transaction, error.into()).await,
    }
    match handle(consumer, &transaction, event).await {
        Ok(()) => match crate::database::commit(transaction, "consume.effects").await {
            Ok(()) => Outcome::Committed,
            Err(error) => Outcome::from(ConsumeError::from(error)),
        },
        Err(error) => undo(transaction, error).await,
    }
}

async fn undo(transaction: DatabaseTransaction, error: ConsumeError) -> Outcome {
    // Whatever the rollback says, dropping the transaction rolls back.
    let _ = transaction.rollback().await;
    Outcome::from(error)
}

impl From<ConsumeError> for Outcome {
    fn from(error: ConsumeError) -> Self {
        match error {
            ConsumeError::Fault(fault) => Self::Fault(fault),
            ConsumeError::Unavailable(reason) => Self::Away(reason),
        }
    }
}

/// Runs the handler within its time, a panic being a fault like any other.
pub(super) async fn handle(
    consumer: &Consumer,
    transaction: &DatabaseTransaction,
    event: &IncomingEvent,
) -> Result<(), ConsumeError> {
    let span = info_span!("consume", service = %consumer.service, event = event.kind.name, event_id = %event.id);
    if let Some(traceparent) = &event.traceparent {
        crate::telemetry::set_parent(&span, traceparent);
    }
    let handler = AssertUnwindSafe(consumer.handler.consume(transaction, event)).catch_unwind();
    match tokio::time::timeout(HANDLER_TIMEOUT, handler.instrument(span)).await {
        Ok(Ok(outcome)) => outcome,
        // The text of a panic may quote what the event held.
        Ok(Err(_panic)) => Err(ConsumeError::Fault("the handler panicked".to_owned())),
        Err(_elapsed) => Err(ConsumeError::Unavailable("the handler took longer than 20 s".to_owned())),
    }
}

/// Counts a fault. True when the event is now a dead letter, false when it may come again.
async fn failed_once_more(
    consumer: &Consumer,
    event: &IncomingEvent,
    fault: &str,
    faults: &mut HashMap<EventId, u32>,
) -> Result<bool, DbErr> {
    if faults.len() >= FAULTS_REMEMBERED_MAX && !faults.contains_key(&event.id) {
        faults.clear();
    }
    let attempts = event.attempt.min(ATTEMPTS_MAX);
    faults.insert(event.id, attempts);
    if attempts < ATTEMPTS_MAX {
        warn!(service = %consumer.service, event = event.kind.name, event_id = %event.id, attempt = attempts, "an event could not be taken and will come again");
        return Ok(false);
    }
    dead_letters::bury(&consumer.database, consumer.service, event, fault, consumer.clock.now_ms()).await?;
    error!(service = %consumer.service, event = event.kind.name, event_id = %event.id, attempt = attempts, "an event could not be taken and is a dead letter now: mend the cause, then redrive it");
    Ok(true)
}

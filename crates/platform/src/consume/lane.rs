//! One lane of one consumer: events in order, and the policy for what goes wrong.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use sea_orm::{DatabaseTransaction, DbErr};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::Lane;
use tracing::{Instrument, error, info_span, warn};

use super::{ConsumeError, Consumer, IncomingEvent, batch, dead_letters, inbox};
use crate::bus::{Delivery, Settlement, Subscription};
use crate::fail_points;
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

/// How often each event that is not given up yet has failed.
pub(super) type Faults = HashMap<EventId, u32>;

/// Takes events until the drain; what has arrived by then and was not begun is given back for another replica.
pub(super) async fn run(consumer: Consumer, lane: Lane, shutdown: Shutdown) {
    let mut subscription: Subscription = consumer.bus.subscribe(consumer.service, lane);
    let (mut faults, mut pace) = (Faults::new(), batch::Pace::default());
    loop {
        let first = tokio::select! {
            biased;
            () = shutdown.draining() => break,
            delivery = subscription.next() => delivery,
        };
        let deliveries = batch::gather(first, &mut subscription, consumer.batch_max, &pace);
        batch::take(&consumer, deliveries, &mut faults, &mut pace, &shutdown).await;
    }
    subscription.close(GIVEN_BACK_DELAY).await;
}

/// What became of one attempt.
enum Outcome {
    Committed,
    /// A copy of what was committed before.
    Known,
    Fault(String),
    Away(String),
}

/// Takes each delivery in a transaction of its own. What one of them awaits may be away for the others too, so after
/// the first that was given back the others are tried once and not waited for.
pub(super) async fn one_by_one(
    consumer: &Consumer,
    deliveries: Vec<Delivery>,
    faults: &mut Faults,
    shutdown: &Shutdown,
) {
    let mut given_back_after = GIVEN_BACK_AFTER;
    for delivery in deliveries {
        if shutdown.is_draining() {
            delivery.nak(GIVEN_BACK_DELAY).await;
        } else if !take(consumer, delivery, faults, given_back_after, shutdown).await {
            given_back_after = Duration::ZERO;
        }
    }
}

/// False when the event was given back because something is away.
async fn take(
    consumer: &Consumer,
    delivery: Delivery,
    faults: &mut Faults,
    given_back_after: Duration,
    shutdown: &Shutdown,
) -> bool {
    let mut event = IncomingEvent::received(&delivery, 1);
    let mut pause = PAUSE;
    loop {
        let away = match judge(consumer, &mut event, faults).await {
            Verdict::Taken { committed } => {
                finish(consumer, delivery).await;
                if committed {
                    consumer.handler.committed(&event).await;
                }
                return true;
            }
            Verdict::Again => {
                let failed = faults.get(&event.id).copied().unwrap_or(1).max(delivery.delivered.min(ATTEMPTS_MAX));
                delivery.nak(fault_delay(&consumer.fault_delays, failed)).await;
                return true;
            }
            Verdict::Away(reason) => reason,
        };
        if pause == PAUSE && !given_back_after.is_zero() {
            warn!(service = %consumer.service, lane = event.lane.as_str(), reason = away.as_str(), "the lane waits for something that is away");
        }
        if pause >= given_back_after {
            // What is awaited may stand behind this very event, so the lane does not wait for it for ever.
            delivery.nak(AWAY_DELAY).await;
            return false;
        }
        delivery.progress().await;
        tokio::select! {
            () = shutdown.draining() => {
                delivery.nak(GIVEN_BACK_DELAY).await;
                return true;
            }
            () = tokio::time::sleep(pause) => {}
        }
        pause *= 2;
    }
}

/// What is to be done with a delivery after one attempt.
enum Verdict {
    /// The event is committed, known, or in custody as a dead letter.
    Taken {
        committed: bool,
    },
    /// A fault; it may come again.
    Again,
    Away(String),
}

async fn judge(consumer: &Consumer, event: &mut IncomingEvent, faults: &mut Faults) -> Verdict {
    let failed = faults.get(&event.id).copied().unwrap_or(0);
    event.attempt = failed + 1;
    let outcome = if failed < ATTEMPTS_MAX {
        attempt(consumer, event).await
    } else {
        // It was already given up, but custody could not be committed.
        Outcome::Fault(String::from("the attempts were used up"))
    };
    match outcome {
        Outcome::Committed => {
            consumer.outbox.wake();
            faults.remove(&event.id);
            Verdict::Taken { committed: true }
        }
        Outcome::Known => {
            faults.remove(&event.id);
            Verdict::Taken { committed: false }
        }
        Outcome::Fault(fault) => match failed_once_more(consumer, event, &fault, faults).await {
            Ok(true) => {
                faults.remove(&event.id);
                Verdict::Taken { committed: false }
            }
            Ok(false) => Verdict::Again,
            Err(error) => Verdict::Away(error.to_string()),
        },
        Outcome::Away(reason) => Verdict::Away(reason),
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
pub(super) async fn finish(consumer: &Consumer, delivery: Delivery) {
    let (id, lane, producer) = (delivery.envelope.id, delivery.envelope.lane, delivery.envelope.kind.producer);
    fail_points::reach("consume.committed");
    consumer.bus.settle(producer, lane, Settlement { event_id: id, consumer: consumer.service });
    fail_points::reach("consume.settled");
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
    faults: &mut Faults,
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
    fail_points::reach("consume.given_up");
    dead_letters::bury(&consumer.database, consumer.service, event, fault, consumer.clock.now_ms()).await?;
    error!(service = %consumer.service, event = event.kind.name, event_id = %event.id, attempt = attempts, "an event could not be taken and is a dead letter now: mend the cause, then redrive it");
    Ok(true)
}

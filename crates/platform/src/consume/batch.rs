//! What has been delivered already is taken together: one transaction, and so one sync, for all of it.
//!
//! A batch is all or nothing. If anything in it fails, nothing is counted against anybody: it is rolled back, and its
//! events are taken one by one, where each finds its own verdict.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tocsin_domain::id::EventId;

use super::lane::{self, Faults, finish};
use super::{ConsumeError, Consumer, IncomingEvent, inbox};
use crate::bus::{Delivery, Subscription};
use crate::database::commit;
use crate::lifecycle::Shutdown;

/// Events in one transaction.
pub(super) const EVENTS_MAX: usize = 64;
/// A transaction takes no further event after this: SQLite has one writer, and what was taken first is waited for.
const TIME_MAX: Duration = Duration::from_millis(10);

/// How long an event took lately in one lane, so that no more are taken together than there is time for.
#[derive(Debug, Default)]
pub(super) struct Pace {
    event: Duration,
}

impl Pace {
    fn limit(&self, batch_max: usize) -> usize {
        let fit = TIME_MAX.as_nanos() / self.event.as_nanos().max(1);
        usize::try_from(fit).unwrap_or(usize::MAX).clamp(1, batch_max)
    }

    fn note(&mut self, time: Duration, events: usize) {
        self.event = time / u32::try_from(events).unwrap_or(u32::MAX).max(1);
    }
}

/// How one transaction for several events ended.
enum Outcome {
    /// The events that were taken now; the others were copies, or there was no time for them.
    Committed { taken: Vec<IncomingEvent>, left: HashSet<EventId> },
    /// Something failed, and nothing was taken.
    RolledBack,
}

/// The first delivery and what else has arrived by now.
pub(super) fn gather(first: Delivery, subscription: &mut Subscription, batch_max: usize, pace: &Pace) -> Vec<Delivery> {
    let mut deliveries = vec![first];
    let limit = pace.limit(batch_max);
    while deliveries.len() < limit {
        let Some(delivery) = subscription.arrived() else { break };
        deliveries.push(delivery);
    }
    deliveries
}

/// Takes deliveries in their order, together where that is possible.
pub(super) async fn take(
    consumer: &Consumer,
    deliveries: Vec<Delivery>,
    faults: &mut Faults,
    pace: &mut Pace,
    shutdown: &Shutdown,
) {
    let (started, events) = (Instant::now(), deliveries.len());
    // An event that has failed before would most likely spoil the batch.
    let (failed, mut deliveries): (Vec<_>, Vec<_>) =
        deliveries.into_iter().partition(|delivery| faults.contains_key(&delivery.envelope.id));
    while deliveries.len() > 1 && !shutdown.is_draining() {
        match attempt(consumer, &deliveries).await {
            Outcome::Committed { taken, left } => deliveries = committed(consumer, deliveries, taken, &left).await,
            Outcome::RolledBack => break,
        }
    }
    deliveries.extend(failed);
    lane::one_by_one(consumer, deliveries, faults, shutdown).await;
    pace.note(started.elapsed(), events);
}

/// Says what was committed, and returns the deliveries for which there was no time.
async fn committed(
    consumer: &Consumer,
    deliveries: Vec<Delivery>,
    taken: Vec<IncomingEvent>,
    left: &HashSet<EventId>,
) -> Vec<Delivery> {
    consumer.outbox.wake();
    let (rest, done): (Vec<_>, Vec<_>) =
        deliveries.into_iter().partition(|delivery| left.contains(&delivery.envelope.id));
    for delivery in done {
        finish(consumer, delivery).await;
    }
    for event in &taken {
        consumer.handler.committed(event).await;
    }
    rest
}

/// One transaction for all: their inbox rows in one statement, then the effects of each new event in order.
async fn attempt(consumer: &Consumer, deliveries: &[Delivery]) -> Outcome {
    let Ok(transaction) = consumer.database.begin().await else { return Outcome::RolledBack };
    let Ok((taken, left)) = effects(consumer, &transaction, deliveries).await else {
        // Whatever the rollback says, dropping the transaction rolls back.
        let _ = transaction.rollback().await;
        return Outcome::RolledBack;
    };
    match commit(transaction, "consume.batch").await {
        Ok(()) => Outcome::Committed { taken, left },
        Err(_) => Outcome::RolledBack,
    }
}

async fn effects(
    consumer: &Consumer,
    transaction: &sea_orm::DatabaseTransaction,
    deliveries: &[Delivery],
) -> Result<(Vec<IncomingEvent>, HashSet<EventId>), ConsumeError> {
    let started = Instant::now();
    let events: Vec<EventId> = deliveries.iter().map(|delivery| delivery.envelope.id).collect();
    let mut left = inbox::enter_all(transaction, consumer.service, &events, consumer.clock.now_ms()).await?;
    let mut taken = Vec::with_capacity(left.len());
    for delivery in deliveries {
        if !taken.is_empty() && started.elapsed() >= TIME_MAX {
            break;
        }
        // What is not among them was taken before, or by an earlier copy in this very batch.
        if left.remove(&delivery.envelope.id) {
            let event = IncomingEvent::received(delivery, 1);
            lane::handle(consumer, transaction, &event).await?;
            taken.push(event);
        }
    }
    inbox::leave(transaction, consumer.service, &left).await?;
    Ok((taken, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_taken_as_there_is_time_for() {
        let check = |time_ms: u64, events: usize, limit: usize| {
            let mut pace = Pace::default();
            pace.note(Duration::from_millis(time_ms), events);
            assert_eq!(pace.limit(EVENTS_MAX), limit, "{events} in {time_ms} ms");
        };
        assert_eq!(Pace::default().limit(EVENTS_MAX), EVENTS_MAX);
        check(1, 1, 10);
        check(2, 10, 50);
        check(2, 64, EVENTS_MAX);
        check(20, 1, 1);
        check(20_000, 3, 1);
        assert_eq!(Pace::default().limit(1), 1);
    }
}

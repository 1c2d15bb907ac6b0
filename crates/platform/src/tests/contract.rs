//! The contract of the bus: the same scenarios on the form within the process and on a real NATS server.

use std::time::Duration;

use chrono::TimeDelta;
use tocsin_proto::catalogue::Lane;

use super::world::{Form, LIMIT, Step, World};
use crate::consume::dead_letters::{self, Page, Which};
use crate::testing::wait_until;

/// Longer than two reviews of the broker's claims.
const TWO_REVIEWS: Duration = Duration::from_millis(4_500);

macro_rules! contract {
    ($($scenario:ident),+ $(,)?) => {
        mod in_process {
            use super::Form;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario(Form::in_process()).await; })+
        }

        mod on_nats {
            use super::Form;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() { super::$scenario(Form::nats()).await; })+
        }
    };
}

contract!(
    an_event_is_delivered_once_and_settled,
    a_fault_is_rolled_back_and_tried_again,
    a_panic_counts_and_an_absence_does_not,
    a_fifth_fault_is_custody_until_redriven,
    a_claim_is_respected_and_its_loss_noticed,
    a_restart_replays_what_is_owed,
    a_wiped_broker_loses_nothing,
    an_older_version_is_settled_too,
    a_late_subscriber_gets_what_was_said_before,
    urgent_overtakes_bulk,
    a_restored_consumer_is_told_again,
);

async fn an_event_is_delivered_once_and_settled(form: Form) {
    let world = World::new(form).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    for lane in Lane::ALL {
        let events: Vec<_> = (1..=20).map(|version| world.event(lane, lane.as_str(), version)).collect();
        world.commit(&outbox, &events).await;
    }
    world.settled(60).await;
    let lag = outbox.lag().await.unwrap();
    assert_eq!((lag.owed, lag.oldest_owed_ms), (0, None));
    // The record stays for a consumer that may have to be restored.
    assert_eq!(World::number(&world.intake, "SELECT COUNT(*) FROM outbox").await, 60);
    // Within a lane they came in order.
    let unordered = "SELECT COUNT(*) FROM (SELECT version, LAG(version) OVER (PARTITION BY aggregate ORDER BY rowid)
        AS before FROM effects) AS pairs WHERE before > version";
    assert_eq!(World::number(&world.triage, unordered).await, 0);
    consumer.stop().await;
    relay.stop().await;
}

async fn a_fault_is_rolled_back_and_tried_again(form: Form) {
    let world = World::new(form).await;
    world.recorder.script.lock().unwrap().extend([Step::Fault, Step::Fault]);
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 1).await;
    world.settled(1).await;
    assert_eq!(World::number(&world.triage, "SELECT MAX(attempt) FROM effects").await, 3);
    assert_eq!(dead_letters::count(world.triage.reader()).await.unwrap(), 0);
    consumer.stop().await;
    relay.stop().await;
}

async fn a_panic_counts_and_an_absence_does_not(form: Form) {
    let world = World::new(form).await;
    world.recorder.script.lock().unwrap().extend([Step::Away, Step::Away, Step::Away, Step::Panic, Step::Away]);
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 1).await;
    world.settled(1).await;
    assert_eq!(World::number(&world.triage, "SELECT MAX(attempt) FROM effects").await, 2);
    consumer.stop().await;
    relay.stop().await;
}

async fn a_fifth_fault_is_custody_until_redriven(form: Form) {
    let world = World::new(form).await;
    world.recorder.script.lock().unwrap().extend([Step::Fault; 6]);
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    let event = world.event(Lane::Normal, "a", 1);
    world.commit(&outbox, std::slice::from_ref(&event)).await;
    wait_until("the dead letter is settled", LIMIT, async || world.owed().await == 0).await;
    assert_eq!(world.effects().await, 0);
    let first = Page { after: None, size: 10 };
    let dead = dead_letters::list(world.triage.reader(), first).await.unwrap();
    let summary: Vec<_> = dead.iter().map(|dead| (dead.event_id, dead.attempts, dead.fault.as_str())).collect();
    assert_eq!(summary, [(event.id.as_uuid(), 5, "scripted")]);
    let next = Page { after: Some(event.id), size: 10 };
    assert_eq!(dead_letters::list(world.triage.reader(), next).await.unwrap(), []);

    // A later copy changes nothing.
    assert_eq!(outbox.redrive_since(event.at - TimeDelta::seconds(1)).await.unwrap(), 1);
    wait_until("the copy is settled", LIMIT, async || world.owed().await == 0).await;
    assert_eq!(world.effects().await, 0);

    // The first redrive fails again (the sixth fault) and stays in custody, the second runs.
    let redrive = async || {
        let transaction = world.triage.begin().await.unwrap();
        let which = Which::Event(event.id);
        assert_eq!(dead_letters::redrive(&transaction, which, world.clock.now_ms()).await.unwrap(), 1);
        transaction.commit().await.unwrap();
    };
    redrive().await;
    wait_until("the redrive has failed", LIMIT, async || {
        World::number(&world.triage, "SELECT COUNT(*) FROM dead_letters WHERE attempts = 6 AND redrive_at_ms IS NULL")
            .await
            == 1
    })
    .await;
    redrive().await;
    wait_until("custody ends", LIMIT, async || dead_letters::count(world.triage.reader()).await.unwrap() == 0).await;
    assert_eq!(world.effects().await, 1);
    consumer.stop().await;
    relay.stop().await;
}

async fn a_claim_is_respected_and_its_loss_noticed(form: Form) {
    let world = World::new(form).await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 3).await;
    wait_until("all are published", LIMIT, async || world.published().await == 3).await;
    world.clock.advance(TimeDelta::seconds(60));
    tokio::time::sleep(TWO_REVIEWS).await;
    assert_eq!(world.generations().await, 0, "the broker holds them, so none is published again");
    world.form.wipe().await;
    wait_until("all are published again", LIMIT, async || {
        world.generations().await == 3 && world.published().await == 3
    })
    .await;
    let consumer = world.consumer().await;
    world.settled(3).await;
    consumer.stop().await;
    relay.stop().await;
}

async fn a_restart_replays_what_is_owed(form: Form) {
    let world = World::new(form).await;
    // Committed, and the process dies before the relay has looked.
    world.commit_many(&world.outbox().await, Lane::Urgent, 5).await;
    let (outbox, relay) = world.relay().await;
    wait_until("all are published", LIMIT, async || world.published().await == 5).await;
    // Published, and the process dies before the consumer has looked.
    relay.kill().await;
    world.form.crash();
    drop(outbox);
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 5).await;
    let consumer = world.consumer().await;
    world.settled(10).await;
    // Committed by the consumer, and both die; nothing happens twice.
    *world.recorder.slow.lock().unwrap() = Duration::from_millis(5);
    world.commit_many(&outbox, Lane::Urgent, 40).await;
    wait_until("some are taken", LIMIT, async || world.effects().await > 15).await;
    consumer.kill().await;
    relay.kill().await;
    world.form.crash();
    let (_outbox, relay) = world.relay().await;
    let consumer = world.consumer().await;
    // What was in the killed consumer's hands comes again when the broker has waited 30 s for the answer; an event
    // that was acknowledged without its settlement is published again after 10 s.
    world.clock.advance(TimeDelta::seconds(11));
    wait_until("nothing is owed", 3 * LIMIT, async || world.owed().await == 0).await;
    world.settled(50).await;
    consumer.stop().await;
    relay.stop().await;
}

async fn a_wiped_broker_loses_nothing(form: Form) {
    let world = World::new(form).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 10).await;
    world.settled(10).await;
    *world.recorder.slow.lock().unwrap() = Duration::from_millis(20);
    world.commit_many(&outbox, Lane::Normal, 60).await;
    wait_until("some are taken", LIMIT, async || world.effects().await > 12).await;
    world.form.wipe().await;
    world.clock.advance(TimeDelta::seconds(11));
    world.commit_many(&outbox, Lane::Bulk, 10).await;
    wait_until("everything is marked or settled", LIMIT, async || world.published().await == world.owed().await).await;
    world.clock.advance(TimeDelta::seconds(11));
    wait_until("nothing is owed", 2 * LIMIT, async || world.owed().await == 0).await;
    world.settled(80).await;
    consumer.stop().await;
    relay.stop().await;
}

async fn an_older_version_is_settled_too(form: Form) {
    let world = World::new(form).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    let events =
        [world.event(Lane::Urgent, "a", 2), world.event(Lane::Urgent, "b", 1), world.event(Lane::Urgent, "a", 1)];
    world.commit(&outbox, &events).await;
    world.settled(3).await;
    // Each arrives with its own version, so that a handler can ignore the older one of that aggregate only.
    assert_eq!(World::number(&world.triage, "SELECT SUM(version) FROM effects WHERE aggregate = 'a'").await, 3);
    assert_eq!(World::number(&world.triage, "SELECT SUM(version) FROM effects WHERE aggregate = 'b'").await, 1);
    consumer.stop().await;
    relay.stop().await;
}

async fn a_late_subscriber_gets_what_was_said_before(form: Form) {
    let world = World::new(form).await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 3).await;
    world.commit_many(&outbox, Lane::Bulk, 3).await;
    wait_until("all are published", LIMIT, async || world.published().await == 6).await;
    let consumer = world.consumer().await;
    world.settled(6).await;
    assert_eq!(world.generations().await, 0);
    consumer.stop().await;
    relay.stop().await;
}

async fn urgent_overtakes_bulk(form: Form) {
    let world = World::new(form).await;
    *world.recorder.slow.lock().unwrap() = Duration::from_millis(10);
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Bulk, 300).await;
    wait_until("bulk is under way", LIMIT, async || world.effects().await >= 3).await;
    world.commit_many(&outbox, Lane::Urgent, 1).await;
    world.settled(301).await;
    let committed = world.recorder.committed.lock().unwrap().clone();
    let place = committed.iter().position(|(_, lane)| *lane == Lane::Urgent).unwrap();
    assert!(place < 150, "urgent came at place {place} of 301");
    consumer.stop().await;
    relay.stop().await;
}

async fn a_restored_consumer_is_told_again(form: Form) {
    let mut world = World::new(form).await;
    let before = world.clock.now();
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Normal, 8).await;
    world.settled(8).await;
    consumer.stop().await;
    // The consumer's database is restored to when it was empty.
    let restored = crate::testing::TestDatabase::sqlite();
    world.triage = restored.open::<super::world::Migrator>(tocsin_proto::catalogue::Service::Triage).await;
    assert_eq!(outbox.redrive_since(before + TimeDelta::hours(1)).await.unwrap(), 0);
    assert_eq!(outbox.redrive_since(before).await.unwrap(), 8);
    let consumer = world.consumer().await;
    world.settled(8).await;
    consumer.stop().await;
    relay.stop().await;
}

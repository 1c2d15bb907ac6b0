//! Several events in one transaction: a bad one spoils nothing, copies count once, and it does happen.

use sea_orm::ConnectionTrait;
use tocsin_proto::catalogue::Lane;

use super::world::{BAD, Form, LIMIT, Step, World};
use crate::consume::dead_letters;
use crate::testing::{TestDatabase, wait_until};

/// Events among which one is bad.
async fn commit_with_a_bad_one(world: &World, outbox: &crate::outbox::Outbox) {
    let name = |number: i64| if number == 20 { BAD } else { "good" };
    let events: Vec<_> = (1..=60).map(|number| world.event(Lane::Normal, name(number), number)).collect();
    world.commit(outbox, &events).await;
}

async fn check_custody_of_one(world: &World) {
    wait_until("nothing is owed", LIMIT, async || world.owed().await == 0).await;
    world.settled(59).await;
    assert_eq!(dead_letters::count(world.triage.reader()).await.unwrap(), 1);
    let bad = format!("SELECT COUNT(*) FROM dead_letters WHERE aggregate = '{BAD}'");
    assert_eq!(World::number(&world.triage, &bad).await, 1);
    assert_eq!(World::number(&world.triage, "SELECT MAX(attempt) FROM effects").await, 1, "no good one was blamed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_event_in_a_batch_is_custody_and_the_others_are_taken_once() {
    for form in [Form::in_process(), Form::nats()] {
        let world = World::new(form).await;
        let (outbox, relay) = world.relay().await;
        commit_with_a_bad_one(&world, &outbox).await;
        wait_until("all are published", LIMIT, async || world.published().await == 60).await;
        let consumer = world.consumer().await;
        check_custody_of_one(&world).await;
        consumer.stop().await;
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_consumers_on_postgres_take_batches_with_a_bad_event() {
    let world = World::on(Form::nats(), [TestDatabase::postgres().await, TestDatabase::postgres().await]).await;
    let (outbox, relay) = world.relay().await;
    commit_with_a_bad_one(&world, &outbox).await;
    wait_until("all are published", LIMIT, async || world.published().await == 60).await;
    let consumers = [world.consumer().await, world.consumer().await];
    check_custody_of_one(&world).await;
    world.commit_many(&outbox, Lane::Urgent, 300).await;
    world.settled(359).await;
    let transactions = World::number(&world.triage, "SELECT COUNT(DISTINCT xmin::text) FROM effects").await;
    println!("359 events in {transactions} transactions, 59 of them one by one");
    assert!(transactions < 200, "{transactions}");
    for running in consumers.into_iter().chain([relay]) {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absence_and_a_panic_in_a_batch_blame_nobody_else() {
    for form in [Form::in_process(), Form::nats()] {
        let world = World::new(form).await;
        let (outbox, relay) = world.relay().await;
        world.commit_many(&outbox, Lane::Normal, 30).await;
        wait_until("all are published", LIMIT, async || world.published().await == 30).await;
        // The third of the batch is away; then, one by one, the first panics and the third is away again.
        let steps = [Step::Take, Step::Take, Step::Away, Step::Panic, Step::Take, Step::Away];
        world.recorder.script.lock().unwrap().extend(steps);
        let consumer = world.consumer().await;
        world.settled(30).await;
        let seconds = World::number(&world.triage, "SELECT COUNT(*) FROM effects WHERE attempt > 1").await;
        assert_eq!(seconds, 1, "only the one that panicked by itself was tried again");
        consumer.stop().await;
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_within_a_batch_count_once() {
    let world = World::new(Form::nats()).await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 10).await;
    wait_until("all are published", LIMIT, async || world.published().await == 10).await;
    let transaction = world.intake.begin().await.unwrap();
    let again = "UPDATE outbox_owed SET published_at_ms = NULL, generation = generation + 1";
    transaction.execute_unprepared(again).await.unwrap();
    transaction.commit().await.unwrap();
    outbox.wake();
    let stream = world.stranger().await.get_stream("TOCSIN_INTAKE").await.unwrap();
    wait_until("the broker holds two of each", LIMIT, async || stream.get_info().await.unwrap().state.messages == 20)
        .await;
    let consumer = world.consumer().await;
    world.settled(10).await;
    wait_until("every copy is answered", LIMIT, async || {
        let info = stream.consumer_info("triage-on-intake-urgent").await.unwrap();
        info.ack_floor.stream_sequence == 20
    })
    .await;
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_batch_commits_what_it_has() {
    let world = World::new(Form::nats()).await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Normal, 40).await;
    wait_until("all are published", LIMIT, async || world.published().await == 40).await;
    *world.recorder.slow.lock().unwrap() = std::time::Duration::from_millis(20);
    let consumer = world.consumer().await;
    // Forty times 20 ms in one transaction would show nothing for 800 ms; a transaction ends after 10 ms.
    wait_until("the first are taken", LIMIT, async || world.effects().await > 0).await;
    let first = world.effects().await;
    assert!(first <= 4, "{first} in one transaction");
    world.settled(40).await;
    consumer.stop().await;
    relay.stop().await;
}

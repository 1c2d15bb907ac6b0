//! The outbox by itself: full queues, old events, consumers that are gone, and how long a hop takes.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use std::sync::Mutex;
use tocsin_proto::catalogue::{Lane, Service};

use super::world::{Form, LIMIT, Migrator, World};
use crate::bus::{Bus, InProcessBus};
use crate::outbox::Outbox;
use crate::testing::{TestDatabase, wait_until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_holds_back_and_nothing_else() {
    for databases in [
        [TestDatabase::sqlite(), TestDatabase::sqlite()],
        [TestDatabase::postgres().await, TestDatabase::postgres().await],
    ] {
        let form = Form::InProcess(Mutex::new(Bus::InProcess(InProcessBus::with_capacity(4))));
        let world = World::on(form, databases).await;
        let (outbox, relay) = world.relay().await;
        world.commit_many(&outbox, Lane::Normal, 700).await;
        world.commit_many(&outbox, Lane::Bulk, 2).await;
        wait_until("both lanes are served", LIMIT, async || world.published().await == 6).await;
        let lag = outbox.lag().await.unwrap();
        assert_eq!(lag.owed, 702);
        assert!(lag.oldest_owed_ms.is_some());
        let consumer = world.consumer().await;
        // A queue of four wakes the relay when it has room; by the second alone this would take minutes.
        world.settled(702).await;
        consumer.stop().await;
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_stay_their_time_and_no_longer() {
    for databases in
        [[TestDatabase::sqlite(), TestDatabase::sqlite()], [TestDatabase::postgres().await, TestDatabase::sqlite()]]
    {
        let world = World::on(Form::in_process(), databases).await;
        let events = async || World::number(&world.intake, "SELECT COUNT(*) FROM outbox").await;
        let outbox = world.outbox().await;
        world.commit_many(&outbox, Lane::Normal, 5).await;
        world.clock.advance(TimeDelta::days(8));
        assert_eq!(crate::outbox::trim_once(&outbox).await.unwrap(), 0, "what is owed stays");
        let consumer = world.consumer().await;
        let (_, relay) = world.relay().await;
        world.settled(5).await;
        // They were settled late, so their seven days begin now.
        assert_eq!(crate::outbox::trim_once(&outbox).await.unwrap(), 0);
        assert_eq!(events().await, 5);
        world.clock.advance(TimeDelta::days(6));
        world.commit_many(&outbox, Lane::Normal, 1).await;
        wait_until("the sixth is taken", LIMIT, async || world.effects().await == 6).await;
        relay.stop().await;
        consumer.stop().await;
        assert_eq!(crate::outbox::trim_once(&outbox).await.unwrap(), 0);
        world.clock.advance(TimeDelta::days(2));
        assert_eq!(crate::outbox::trim_once(&outbox).await.unwrap(), 5);
        assert_eq!(events().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_clock_is_ahead_ends_nothing_early() {
    let world = World::on(Form::in_process(), [TestDatabase::postgres().await, TestDatabase::postgres().await]).await;
    let (outbox, relay) = world.relay().await;
    let consumer = world.consumer().await;
    world.commit_many(&outbox, Lane::Normal, 3).await;
    world.settled(3).await;
    relay.stop().await;
    consumer.stop().await;
    let ahead = world.clock.on_another_machine();
    ahead.step(TimeDelta::days(40));
    let other = Outbox::new(Service::Intake, world.intake.clone(), Bus::in_process(), ahead.clone());
    assert_eq!(crate::outbox::trim_once(&other).await.unwrap(), 0, "events stay seven days");
    assert_eq!(
        crate::consume::trim_now(&world.triage, Service::Triage, &ahead).await.unwrap(),
        0,
        "and inbox rows thirty"
    );
    world.clock.advance(TimeDelta::days(40));
    assert_eq!(crate::outbox::trim_once(&other).await.unwrap(), 3);
    assert_eq!(crate::consume::trim_now(&world.triage, Service::Triage, &ahead).await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_owed_to_nobody_is_dropped_at_the_start() {
    for databases in
        [[TestDatabase::sqlite(), TestDatabase::sqlite()], [TestDatabase::postgres().await, TestDatabase::sqlite()]]
    {
        let world = World::on(Form::in_process(), databases).await;
        let outbox = world.outbox().await;
        world.commit_many(&outbox, Lane::Normal, 2).await;
        let transaction = world.intake.begin().await.unwrap();
        for (from, to) in [("triage", "retired"), ("triage", "dispatch")] {
            let sql = format!(
                "INSERT INTO outbox_owed (event_id, consumer, lane, recorded_at_ms, generation)
                 SELECT event_id, '{to}', lane, recorded_at_ms, 0 FROM outbox_owed WHERE consumer = '{from}'"
            );
            transaction.execute_unprepared(&sql).await.unwrap();
        }
        transaction.commit().await.unwrap();
        assert_eq!(world.owed().await, 6);
        let (_, relay) = world.relay().await;
        wait_until("they are gone", LIMIT, async || world.owed().await == 2).await;
        assert_eq!(
            World::number(&world.intake, "SELECT COUNT(*) FROM outbox_owed WHERE consumer <> 'triage'").await,
            0
        );
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolled_back_event_was_never_said() {
    let world = World::new(Form::in_process()).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    let transaction = world.intake.begin().await.unwrap();
    outbox.record(&transaction, &[world.event(Lane::Urgent, "never", 1)]).await.unwrap();
    outbox.wake();
    transaction.rollback().await.unwrap();
    world.commit_many(&outbox, Lane::Urgent, 1).await;
    world.settled(1).await;
    assert_eq!(World::number(&world.triage, "SELECT COUNT(*) FROM effects WHERE aggregate = 'never'").await, 0);
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hop_in_process_takes_milliseconds() {
    let world = World::new(Form::in_process()).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    let mut hops = Vec::new();
    for number in 1..=50 {
        let event = world.event(Lane::Urgent, "hop", number);
        world.commit(&outbox, std::slice::from_ref(&event)).await;
        let committed = Instant::now();
        let taken = || world.recorder.committed.lock().unwrap().iter().any(|(id, _)| *id == event.id);
        while !taken() {
            assert!(committed.elapsed() < LIMIT, "the event does not arrive");
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        hops.push(committed.elapsed());
    }
    hops.sort();
    let median = hops[hops.len() / 2];
    println!("commit to commit of the effects: median {median:?}, worst {:?}", hops[hops.len() - 1]);
    // By the timer alone it would be half a second.
    assert!(median < Duration::from_millis(100), "{hops:?}");
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn inbox_rows_go_after_their_time() {
    for test in TestDatabase::both().await {
        let database = test.open::<Migrator>(Service::Triage).await;
        let world = World::new(Form::in_process()).await;
        let event = world.event(Lane::Normal, "a", 1);
        let enter = async |days: i64| {
            let now = world.clock.now_ms() + TimeDelta::days(days).num_milliseconds();
            let transaction = database.begin().await.unwrap();
            let entered = crate::consume::enter(&transaction, Service::Triage, event.id, now).await.unwrap();
            transaction.commit().await.unwrap();
            entered
        };
        let trim = async |days: i64| {
            let now = world.clock.now_ms() + TimeDelta::days(days).num_milliseconds();
            crate::consume::trim(database.writer(), Service::Triage, now).await.unwrap()
        };
        assert!(enter(0).await);
        assert!(!enter(20).await, "a copy is known");
        assert_eq!(trim(45).await, 0, "and keeps the row for another thirty days");
        assert_eq!(trim(51).await, 1);
        assert!(enter(51).await);
    }
}

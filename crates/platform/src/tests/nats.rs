//! What only a real server can do: be away at the start, come back empty, lose a consumer.

use std::time::Duration;

use chrono::TimeDelta;
use tocsin_proto::catalogue::{Lane, Service};

use super::world::{Form, LIMIT, World};
use crate::bus::{Bus, NatsSettings};
use crate::testing::{NatsServer, TestDatabase, wait_until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_start_before_the_broker() {
    let mut world = World::new(Form::Nats(NatsServer::prepare())).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 5).await;
    let bus = world.form.bus(Service::Intake).await;
    assert!(!bus.ready().await);
    assert_eq!(world.published().await, 0);
    world.server().start_again();
    world.settled(5).await;
    wait_until("the bus is ready", LIMIT, async || bus.ready().await).await;
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_comes_back_empty_loses_nothing() {
    let mut world = World::new(Form::nats()).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 5).await;
    world.settled(5).await;
    consumer.kill().await;
    world.commit_many(&outbox, Lane::Urgent, 5).await;
    wait_until("all are published", LIMIT, async || world.published().await == 5).await;
    let server = world.server();
    server.stop();
    server.wipe();
    server.start_again();
    let consumer = world.consumer().await;
    world.commit_many(&outbox, Lane::Normal, 5).await;
    world.clock.advance(TimeDelta::seconds(11));
    world.settled(15).await;
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_was_deleted_is_created_again() {
    let world = World::new(Form::nats()).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(2).await;
    let stream = world.stranger().await.get_stream("TOCSIN_INTAKE").await.unwrap();
    stream.delete_consumer("triage-on-intake-urgent").await.unwrap();
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(4).await;
    let info = stream.consumer_info("triage-on-intake-urgent").await.unwrap();
    assert_eq!(info.config.max_deliver, -1);
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_the_work_on_postgres() {
    let [first, second] = [TestDatabase::postgres().await, TestDatabase::postgres().await];
    let world = World::on(Form::nats(), [first, second]).await;
    let consumers = [world.consumer().await, world.consumer().await];
    let (outbox, relay) = world.relay().await;
    let (second_outbox, second_relay) = world.relay().await;
    for _ in 0..10 {
        world.commit_many(&outbox, Lane::Urgent, 30).await;
        world.commit_many(&second_outbox, Lane::Normal, 30).await;
    }
    world.settled(600).await;
    for running in consumers.into_iter().chain([relay, second_relay]) {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_and_wiped_delays_by_seconds() {
    let mut world = World::new(Form::nats()).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(2).await;
    // Owed and held by the broker only, because nobody takes it before the broker dies.
    consumer.stop().await;
    world.commit_many(&outbox, Lane::Urgent, 3).await;
    wait_until("they are published", LIMIT, async || world.published().await == 3).await;
    let consumer = {
        let server = world.server();
        server.stop();
        server.wipe();
        let consumer = world.consumer().await;
        world.server().start_again();
        consumer
    };
    let back = std::time::Instant::now();
    world.settled(5).await;
    let delay = back.elapsed();
    println!("owed events were handled {delay:?} after a wiped broker was back");
    assert!(delay < Duration::from_secs(15), "{delay:?}");
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_that_run_on_find_a_wiped_broker_by_themselves() {
    let mut world = World::new(Form::nats()).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(2).await;
    world.server().stop();
    world.server().wipe();
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.server().start_again();
    let back = std::time::Instant::now();
    world.settled(4).await;
    println!("consumers that ran on took events {:?} after a wiped broker was back", back.elapsed());
    assert!(back.elapsed() < Duration::from_secs(15), "{:?}", back.elapsed());
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_deleted_delays_by_seconds() {
    let world = World::new(Form::nats()).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(2).await;
    consumer.stop().await;
    world.commit_many(&outbox, Lane::Urgent, 3).await;
    wait_until("they are published", LIMIT, async || world.published().await == 3).await;
    // The clients stay connected and are told nothing.
    world.form.wipe().await;
    let consumer = world.consumer().await;
    let deleted = std::time::Instant::now();
    world.settled(5).await;
    let delay = deleted.elapsed();
    println!("owed events were handled {delay:?} after the stream was deleted");
    assert!(delay < Duration::from_secs(15), "{delay:?}");
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_are_too_large_wait_and_let_others_pass() {
    let mut server = NatsServer::prepare();
    server.configure("max_payload: 4096");
    let mut world = World::new(Form::Nats(server)).await;
    world.server().start_again();
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    let large = |version| {
        let mut event = world.event(Lane::Urgent, "large", version);
        event.payload = vec![7; 5_000];
        event
    };
    // More than one batch of the relay, in front of the others. Their versions have as many digits, so they are of one size.
    let mut events: Vec<_> = (1_001..=1_300).map(large).collect();
    let first = events.iter().map(|event| event.id).min().unwrap();
    events.extend((1..=5).map(|version| world.event(Lane::Urgent, "small", version)));
    world.commit(&outbox, &events).await;
    wait_until("the small ones are taken", LIMIT, async || world.effects().await == 5).await;
    wait_until("the large ones are owed", LIMIT, async || world.owed().await == 300).await;
    let limit = outbox.bus_state().await.message_bytes_max.unwrap();
    assert_eq!(limit, 4096);
    let waiting = outbox.too_large(limit).await.unwrap();
    assert_eq!(waiting.len(), 100, "as many as a list holds");
    assert_eq!((waiting[0].event_id, waiting[0].kind.as_str()), (first, "report.received"));
    assert!((5_300..6_000).contains(&waiting[0].bytes), "{:?}", waiting[0]);
    assert_eq!(outbox.too_large(waiting[0].bytes).await.unwrap(), []);

    world.server().configure("max_payload: 65536");
    world.server().stop();
    world.server().start_again();
    world.clock.advance(TimeDelta::seconds(11));
    world.settled(305).await;
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_refused() {
    let check = async |settings: NatsSettings, part: &str| {
        let error = Bus::nats(&settings, Service::Intake).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let base = NatsSettings::default();
    check(NatsSettings { url: " ,".to_owned(), ..base.clone() }, "url is empty").await;
    check(NatsSettings { user: Some("a".to_owned()), ..base.clone() }, "belong together").await;
    check(NatsSettings { key: Some("/nowhere".into()), ..base.clone() }, "belong together").await;
    check(NatsSettings { nkey_seed_file: Some("/nowhere".into()), ..base.clone() }, "/nowhere").await;
    let both = NatsSettings { nkey_seed_file: Some("/x".into()), credentials_file: Some("/y".into()), ..base };
    check(both, "only one").await;
    let secret = NatsSettings { password: Some("hunter2".to_owned()), ..NatsSettings::default() };
    assert!(!format!("{secret:?}").contains("hunter2"));
}

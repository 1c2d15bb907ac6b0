//! Somebody changes what the broker has of ours: it is repaired or named, and events go on.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{AckKind, stream};
use chrono::TimeDelta;
use futures::StreamExt;
use tocsin_proto::catalogue::{Lane, Service};

use super::world::{Form, LIMIT, World};
use crate::bus::Bus;
use crate::consume::advisories;
use crate::testing::{NatsServer, wait_until};

const STREAM: &str = "TOCSIN_INTAKE";
const CONSUMER: &str = "triage-on-intake-urgent";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_drifted_is_repaired() {
    let world = World::new(Form::nats()).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(2).await;
    let stranger = world.stranger().await;
    let ours = stranger.get_stream(STREAM).await.unwrap().cached_info().config.clone();
    let changed = stream::Config {
        subjects: vec!["tocsin.v1.message.received.bulk".to_owned()],
        discard: stream::DiscardPolicy::New,
        max_age: Duration::from_mins(10),
        max_messages: 1_000,
        max_bytes: 1 << 20,
        max_message_size: 1_000,
        duplicate_window: Duration::from_secs(30),
        ..ours.clone()
    };
    stranger.update_stream(&changed).await.unwrap();
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(4).await;
    wait_until("the stream is as it was", LIMIT, async || {
        let mut now = stranger.get_stream(STREAM).await.unwrap().cached_info().config.clone();
        now.max_message_size = ours.max_message_size;
        now == ours
    })
    .await;
    assert_eq!(outbox.bus_state().await.stream.unwrap().drift, []);
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_repaired_is_named_and_the_rest_is_repaired() {
    let world = World::new(Form::nats()).await;
    let made = stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["tocsin.v1.report.received.urgent".to_owned()],
        storage: stream::StorageType::Memory,
        max_age: Duration::from_mins(10),
        ..stream::Config::default()
    };
    world.stranger().await.create_stream(made).await.unwrap();
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Bulk, 2).await;
    world.settled(2).await;
    let state = outbox.bus_state().await.stream.unwrap();
    let drift: Vec<_> = state.drift.iter().map(ToString::to_string).collect();
    assert_eq!(drift, ["storage is Memory and should be File"]);
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_copies_than_there_are_servers_are_named_and_events_go_on() {
    let world = World::new(Form::nats()).await;
    let Form::Nats(server) = &world.form else { unreachable!("the other form") };
    let settings = crate::bus::NatsSettings { replicas: 3, ..server.settings() };
    let bus = Bus::nats(&settings, Service::Intake).await.unwrap();
    let outbox = crate::outbox::Outbox::new(Service::Intake, world.intake.clone(), bus, world.clock.clone());
    let relay = super::world::Running::relay(outbox.clone());
    let consumer = world.consumer().await;
    world.commit_many(&outbox, Lane::Bulk, 2).await;
    world.settled(2).await;
    let drift = outbox.bus_state().await.stream.unwrap().drift;
    assert_eq!(drift.iter().map(|drift| drift.setting).collect::<Vec<_>>(), ["num_replicas"]);
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_drifted_is_repaired_while_it_is_used() {
    let world = World::new(Form::nats()).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(2).await;
    let stream = world.stranger().await.get_stream(STREAM).await.unwrap();
    let changed = pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_mins(10),
        max_deliver: 2,
        max_ack_pending: 1,
        filter_subjects: vec!["tocsin.v1.message.received.bulk".to_owned()],
        ..pull::Config::default()
    };
    stream.create_consumer(changed).await.unwrap();
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(4).await;
    let info = stream.consumer_info(CONSUMER).await.unwrap();
    assert_eq!((info.config.max_deliver, info.config.max_ack_pending), (-1, 512));
    assert_eq!(info.config.ack_wait, Duration::from_secs(30));
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_was_paused_goes_on() {
    let world = World::new(Form::nats()).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(2).await;
    let stream = world.stranger().await.get_stream(STREAM).await.unwrap();
    let later = stream.cached_info().created + Duration::from_hours(5);
    assert!(stream.pause_consumer(CONSUMER, later).await.unwrap().paused);
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(4).await;
    assert!(!stream.consumer_info(CONSUMER).await.unwrap().paused);
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_cannot_be_changed_is_made_anew() {
    let world = World::new(Form::nats()).await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 3).await;
    wait_until("all are published", LIMIT, async || world.published().await == 3).await;
    let stream = world.stranger().await.get_stream(STREAM).await.unwrap();
    // It would never deliver what stands in the stream already.
    let foreign = pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        deliver_policy: DeliverPolicy::New,
        ack_policy: AckPolicy::None,
        ..pull::Config::default()
    };
    stream.create_consumer(foreign).await.unwrap();
    let consumer = world.consumer().await;
    world.settled(3).await;
    assert_eq!(world.generations().await, 0, "the broker delivered them, none was published again");
    let info = stream.consumer_info(CONSUMER).await.unwrap();
    assert_eq!((info.config.deliver_policy, info.config.ack_policy), (DeliverPolicy::All, AckPolicy::Explicit));
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_somebody_ended_is_told_and_its_event_is_not_lost() {
    let world = World::new(Form::nats()).await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 300).await;
    wait_until("all are published", LIMIT, async || world.published().await == 300).await;
    *world.recorder.slow.lock().unwrap() = Duration::from_millis(10);
    let consumer = world.consumer().await;
    wait_until("the first are taken", LIMIT, async || world.effects().await > 0).await;
    let stream = world.stranger().await.get_stream(STREAM).await.unwrap();
    let durable: async_nats::jetstream::consumer::PullConsumer = stream.get_consumer(CONSUMER).await.unwrap();
    let mut stolen = durable.fetch().max_messages(3).messages().await.unwrap();
    let mut ended = 0;
    while let Some(Ok(message)) = stolen.next().await {
        message.ack_with(AckKind::Term).await.unwrap();
        ended += 1;
    }
    assert!(ended > 0, "the stranger got a share");
    let kept = async || advisories::list(world.triage.reader(), None, 10).await.unwrap();
    wait_until("they are told", LIMIT, async || kept().await.len() == ended).await;
    let told = kept().await;
    assert_eq!((told[0].kind.as_str(), told[0].stream.as_str()), ("terminated", STREAM));
    assert_eq!(told[0].consumer, CONSUMER);
    assert_eq!(advisories::count(world.triage.reader()).await.unwrap(), u64::try_from(ended).unwrap());
    *world.recorder.slow.lock().unwrap() = Duration::ZERO;
    wait_until("only they are owed", LIMIT, async || usize::try_from(world.owed().await).unwrap() == ended).await;
    world.clock.advance(TimeDelta::seconds(11));
    world.settled(300).await;
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_sets_for_every_consumer_is_accepted_and_not_repaired_for_ever() {
    let mut server = NatsServer::prepare();
    server.configure("jetstream { limits { max_request_batch: 250 } }");
    server.start_again();
    let world = World::new(Form::Nats(server)).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(2).await;
    let stream = world.stranger().await.get_stream(STREAM).await.unwrap();
    let settled = async || stream.consumer_info(CONSUMER).await.ok().filter(|info| info.config.max_batch == 250);
    wait_until("the server has set its limit", LIMIT, async || settled().await.is_some()).await;
    let made = async || stream.consumer_info(CONSUMER).await.unwrap().created;
    let before = made().await;
    // Two looks later it is still the same one.
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(made().await, before);
    world.commit_many(&outbox, Lane::Urgent, 2).await;
    world.settled(4).await;
    consumer.stop().await;
    relay.stop().await;
}

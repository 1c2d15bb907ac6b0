//! What only a real server can do: be away at the start, come back empty, lose a consumer.

use chrono::TimeDelta;
use tocsin_proto::catalogue::{Lane, Service};

use super::world::{Form, LIMIT, World};
use crate::bus::{Bus, NatsSettings};
use crate::testing::{NatsServer, TestDatabase, wait_until};

fn server(world: &mut World) -> &mut NatsServer {
    match &mut world.form {
        Form::Nats(server) => server,
        _ => unreachable!("the other form"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_start_before_the_broker() {
    let mut world = World::new(Form::Nats(NatsServer::prepare())).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 5).await;
    let bus = world.form.bus(Service::Intake).await;
    assert!(!bus.ready().await);
    assert_eq!(world.published().await, 0);
    server(&mut world).start_again();
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
    let server = server(&mut world);
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
    let Form::Nats(server) = &world.form else { unreachable!("the other form") };
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let stream = context.get_stream("TOCSIN_INTAKE").await.unwrap();
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

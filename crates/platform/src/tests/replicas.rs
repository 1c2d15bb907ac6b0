//! Several processes of one service on PostgreSQL and a real broker: no row twice, none held back.

use std::time::{Duration, Instant};

use tocsin_proto::catalogue::Lane;

use super::world::{Form, LIMIT, World};
use crate::testing::{TestDatabase, wait_until};

async fn world() -> World {
    World::on(Form::nats(), [TestDatabase::postgres().await, TestDatabase::postgres().await]).await
}

async fn messages(world: &World) -> u64 {
    let stream = world.stranger().await.get_stream("TOCSIN_INTAKE").await.unwrap();
    stream.get_info().await.unwrap().state.messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_relays_publish_each_event_once() {
    let world = world().await;
    let (first, first_relay) = world.relay().await;
    let (second, second_relay) = world.relay().await;
    for _ in 0..20 {
        world.commit_many(&first, Lane::Urgent, 20).await;
        world.commit_many(&second, Lane::Bulk, 20).await;
        // Both look at the same rows at the same time.
        first.wake();
    }
    wait_until("all are published", LIMIT, async || world.published().await == 800).await;
    assert_eq!(messages(&world).await, 800);
    let consumers = [world.consumer().await, world.consumer().await];
    world.settled(800).await;
    assert_eq!(world.generations().await, 0);
    for running in consumers.into_iter().chain([first_relay, second_relay]) {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_stands_still_holds_its_rows_for_seconds_only() {
    let world = world().await;
    let consumer = world.consumer().await;
    let outbox = world.outbox().await;
    world.commit_many(&outbox, Lane::Urgent, 3).await;
    let (still, held) = crate::outbox::hold_batch(&outbox).await;
    assert_eq!(held, 3);
    let (second, relay) = world.relay().await;
    world.commit_many(&second, Lane::Urgent, 2).await;
    // What it does not hold goes on.
    wait_until("the others are settled", LIMIT, async || world.owed().await == 3).await;
    assert_eq!(world.effects().await, 2);
    let waiting = Instant::now();
    world.settled(5).await;
    println!("rows of a relay that stood still were free after {:?}", waiting.elapsed());
    assert!(waiting.elapsed() < Duration::from_secs(15), "{:?}", waiting.elapsed());
    assert!(still.commit().await.is_err(), "it finds out when it goes on");
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_reaches_one_replica_and_serves_all() {
    let world = world().await;
    let (first, first_relay) = world.relay().await;
    let (_, second_relay) = world.relay().await;
    let consumer = world.consumer().await;
    world.commit_many(&first, Lane::Normal, 200).await;
    world.settled(200).await;
    // The replica that stays takes all of them.
    first_relay.stop().await;
    let (third, third_relay) = world.relay().await;
    second_relay.kill().await;
    world.commit_many(&third, Lane::Normal, 200).await;
    world.settled(400).await;
    consumer.stop().await;
    third_relay.stop().await;
}

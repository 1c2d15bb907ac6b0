//! Two processes of notification over one database, with clocks that may be wrong.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, Statement};
use tocsin_platform::testing::{TestDatabase, wait_until};
use uuid::Uuid;

use super::harness::{Alert, Harness, PATIENCE, contact_with_hook};
use super::leases::{another_process, receiver};
use crate::entity::{attempt, notice, withdrawal};

#[tokio::test]
async fn two_processes_send_everything_once() {
    let harness = Harness::start(TestDatabase::postgres().await).await;
    let other = harness.another(harness.clock.on_another_machine()).await;
    let contacts: Vec<_> =
        (1..=400).map(|number| harness.contact("org-1", number, "en", &["webhook", "sms"])).collect();
    harness.import(contacts.clone()).await.unwrap();
    for (chunk, priority) in contacts.chunks(100).zip(["p1", "p3", "p1", "p4"]) {
        harness.request(&Alert::new(priority, "AMBER"), chunk).await;
    }
    let all_there = async || {
        let states = harness.states();
        states.len() >= 400
            && states.iter().filter(|state| state.contains("webhook")).all(|state| state.ends_with("delivered"))
    };
    wait_until("everything is delivered", PATIENCE, all_there).await;
    let mut copies = HashMap::new();
    for hook in harness.webhooks.log().all() {
        *copies.entry(hook.item.path).or_insert(0) += 1;
    }
    assert_eq!(copies.len(), 400);
    assert!(copies.values().all(|count| *count == 1), "{copies:?}");
    other.stop().await;
    harness.stop().await;
}

#[tokio::test]
async fn a_wrong_clock_takes_nothing_that_is_in_flight() {
    for hours in [5, -5] {
        let (address, arrived) = receiver(|_| None).await;
        let harness = Harness::start(TestDatabase::postgres().await).await;
        let contacts = vec![contact_with_hook("org-1", 1, "en", &["webhook"], format!("http://{address}/"))];
        harness.import(contacts.clone()).await.unwrap();
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        wait_until("the request has arrived", PATIENCE, async || arrived.load(Ordering::SeqCst) == 1).await;
        let clock = harness.clock.on_another_machine();
        clock.step(TimeDelta::hours(hours));
        let other = harness.another(clock).await;
        // Its own clock steps too, the other way.
        harness.clock.step(TimeDelta::hours(-hours));
        // Longer than both take to look again, shorter than the attempt.
        tokio::time::sleep(Duration::from_millis(1_800)).await;
        assert_eq!(arrived.load(Ordering::SeqCst), 1, "{hours} hours");
        // The attempt ends after 3 s, and its retry comes by the agreed clock, whoever makes it.
        wait_until("the next attempt is made", PATIENCE, async || arrived.load(Ordering::SeqCst) == 2).await;
        other.stop().await;
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_process_with_a_wrong_clock_hears_withdrawals() {
    let (hung, arrived) = receiver(|_| None).await;
    let harness = Harness::start(TestDatabase::postgres().await).await;
    harness.clock.step(TimeDelta::hours(3));
    let contacts: Vec<_> = (1..=30)
        .map(|number| contact_with_hook("org-1", number, "en", &["webhook"], format!("http://{hung}/")))
        .collect();
    harness.import(contacts.clone()).await.unwrap();
    let alert = Alert::new("p3", "AMBER");
    harness.request(&alert, &contacts).await;
    wait_until("the requests hang", PATIENCE, async || arrived.load(Ordering::SeqCst) >= 4).await;
    let row = withdrawal::ActiveModel {
        bulletin_id: Set(alert.id),
        organisation_id: Set(String::new()),
        revision: Set(0),
        reason: Set("stopped".to_owned()),
        recorded_at_ms: Set(harness.clock.on_another_machine().now_ms()),
    };
    let transaction = another_process(&harness).await.begin().await.unwrap();
    withdrawal::Entity::insert(row).exec_without_returning(&transaction).await.unwrap();
    transaction.commit().await.unwrap();
    let withdrawn = async || harness.states().iter().filter(|state| state.ends_with("withdrawn")).count() >= 20;
    wait_until("what waits is withdrawn", PATIENCE, withdrawn).await;
    harness.stop().await;
}

#[tokio::test]
async fn what_went_to_another_process_stays_there() {
    let (address, arrived) = receiver(|_| None).await;
    let harness = Harness::start(TestDatabase::postgres().await).await;
    let contacts = vec![contact_with_hook("org-1", 1, "en", &["webhook"], format!("http://{address}/"))];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    wait_until("the request has arrived", PATIENCE, async || arrived.load(Ordering::SeqCst) == 1).await;
    // Another process took it, because this one was thought to be gone.
    let (database, other) = (another_process(&harness).await, Uuid::now_v7());
    let sql = "UPDATE notices SET lease_owner = $1, next_at_ms = next_at_ms + 60000";
    let taken = Statement::from_sql_and_values(database.backend(), sql, [other.into()]);
    let transaction = database.begin().await.unwrap();
    transaction.execute_raw(taken).await.unwrap();
    transaction.commit().await.unwrap();
    // The attempt here fails after 3 s. It is remembered, and the notice is not touched.
    let attempts = async || attempt::Entity::find().all(database.reader()).await.unwrap();
    wait_until("the failure is recorded", PATIENCE, async || attempts().await.len() == 1).await;
    let row = notice::Entity::find().one(database.reader()).await.unwrap().unwrap();
    assert_eq!((row.lease_owner, row.attempts, row.state.as_str()), (Some(other), 0, "queued"));
    assert_eq!(attempts().await[0].outcome, "temporary");
    harness.stop().await;
}

#[tokio::test]
async fn what_is_new_in_a_known_batch_starts_at_once() {
    for database in TestDatabase::both().await {
        let (address, arrived) = receiver(|_| Some(StatusCode::NO_CONTENT)).await;
        let harness = Harness::start(database).await;
        let contact = |number| contact_with_hook("org-1", number, "en", &["webhook"], format!("http://{address}/"));
        let contacts = vec![contact(1), contact(2), contact(3)];
        harness.import(contacts.clone()).await.unwrap();
        let alert = Alert::new("p1", "AMBER");
        harness.request(&alert, &contacts[..1]).await;
        harness.until(&["org-1-c1 webhook delivered"]).await;
        let since = Instant::now();
        harness.request(&alert, &contacts).await;
        let all = ["org-1-c1 webhook delivered", "org-1-c2 webhook delivered", "org-1-c3 webhook delivered"];
        harness.until(&all).await;
        assert!(since.elapsed() < Duration::from_secs(10), "it waited for a lease: {:?}", since.elapsed());
        assert_eq!(arrived.load(Ordering::SeqCst), 3, "nobody was written to twice");
        harness.stop().await;
    }
}

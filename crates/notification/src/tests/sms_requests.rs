//! More text messages may be open than requests are in flight: written together, sent one after the other, and not sent
//! when they are withdrawn while they wait for their turn.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use sea_orm::{EntityTrait, PaginatorTrait};
use tocsin_platform::testing::{TestDatabase, wait_until};
use tokio::sync::Semaphore;

use super::harness::{Alert, Harness, PATIENCE};
use super::leases::another_process;
use crate::entity::sms::submission;

/// A gateway of Kannel's kind that answers when it may.
#[derive(Clone)]
struct Gateway {
    asked: Arc<Mutex<Vec<String>>>,
    at_once: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    may_answer: Arc<Semaphore>,
}

async fn take(
    State(gateway): State<Gateway>,
    Query(query): Query<HashMap<String, String>>,
) -> (StatusCode, &'static str) {
    let at_once = gateway.at_once.fetch_add(1, Ordering::SeqCst) + 1;
    gateway.most.fetch_max(at_once, Ordering::SeqCst);
    gateway.asked.lock().unwrap().push(query["to"].trim_start_matches('+').to_owned());
    let _may = gateway.may_answer.acquire().await.unwrap();
    gateway.at_once.fetch_sub(1, Ordering::SeqCst);
    (StatusCode::ACCEPTED, "0: Accepted for delivery")
}

#[tokio::test]
async fn what_waits_for_its_request_is_written_and_can_be_withdrawn() {
    let gateway = Gateway {
        asked: Arc::default(),
        at_once: Arc::default(),
        most: Arc::default(),
        may_answer: Arc::new(Semaphore::new(0)),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(take).with_state(gateway.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let more = format!(
        "[notification.sms]\nin_flight_max = 1\n[[notification.sms.gateways]]\nname = 'only'\nkind = 'kannel'\n\
         username = 'u'\npassword = 'p'\nurl = 'http://{address}/send'\n"
    );
    let database = TestDatabase::sqlite();
    let harness = Harness::start_only(database, &more).await;
    let contacts: Vec<_> =
        (1..=3).map(|number| harness.contact(&format!("org-{number}"), number, "en", &["sms"])).collect();
    harness.import(contacts.clone()).await.unwrap();
    let alert = Alert::new("p1", "AMBER");
    harness.request(&alert, &contacts).await;
    let rows = another_process(&harness).await;
    let written = async || submission::Entity::find().count(rows.reader()).await.unwrap() == 3;
    wait_until("all three are written as begun", PATIENCE, written).await;
    let asked = || gateway.asked.lock().unwrap().clone();
    wait_until("one is asked for", PATIENCE, async || !asked().is_empty()).await;
    let first = asked()[0].clone();
    let other = contacts.iter().find(|one| one.phone.trim_start_matches('+') != first).unwrap();
    harness.withdraw(&alert, &other.organisation_id, "acknowledged").await;
    harness.settled().await;
    // Whoever waits briefly does not look again.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(asked(), [first], "one request at a time");
    gateway.may_answer.add_permits(10);
    let states: Vec<String> = contacts
        .iter()
        .map(|one| {
            let state = if one.contact_id == other.contact_id { "withdrawn" } else { "accepted" };
            format!("{} sms {state}", one.contact_id)
        })
        .collect();
    harness.until(&states.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(!asked().contains(&other.phone.trim_start_matches('+').to_owned()));
    assert_eq!((asked().len(), gateway.most.load(Ordering::SeqCst)), (2, 1));
    harness.stop().await;
}

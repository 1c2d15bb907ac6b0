//! Ends without warning: what was accepted is sent, and nobody is written to more than once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tocsin_platform::testing::{TestDatabase, wait_until};

use super::harness::{Alert, Harness, PATIENCE, contact_with_hook};

#[tokio::test]
async fn what_was_in_flight_is_sent_again_after_a_crash() {
    let hangs = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // The first request is never answered, later ones are.
    let router = axum::Router::new().route(
        "/",
        axum::routing::post({
            let hangs = Arc::clone(&hangs);
            move || {
                let first = hangs.fetch_add(1, Ordering::SeqCst) == 0;
                async move {
                    if first {
                        std::future::pending::<()>().await;
                    }
                    axum::http::StatusCode::NO_CONTENT
                }
            }
        }),
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let hanging = contact_with_hook("org-1", 1, "en", &["webhook"], format!("http://{address}/"));
    let contacts: Vec<_> = std::iter::once(hanging)
        .chain((2..=40).map(|number| harness.contact("org-2", number, "en", &["webhook"])))
        .collect();
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    wait_until("the hanging request has arrived", PATIENCE, async || hangs.load(Ordering::SeqCst) == 1).await;
    let harness = harness.killed_and_started_again().await;
    let all_delivered = async || {
        let states = harness.states();
        states.len() == 40 && states.iter().all(|state| state.ends_with("delivered"))
    };
    wait_until("everything is delivered", PATIENCE, all_delivered).await;
    assert_eq!(hangs.load(Ordering::SeqCst), 2, "one repeat for the crash");
    let mut copies = std::collections::HashMap::new();
    for hook in harness.webhooks.log().all() {
        *copies.entry(hook.item.path).or_insert(0) += 1;
    }
    assert_eq!(copies.len(), 39);
    assert!(copies.values().all(|count| *count <= 2), "{copies:?}");
    harness.stop().await;
}

#[tokio::test]
async fn a_lease_that_ran_out_is_claimed_by_another_process() {
    let database = TestDatabase::postgres().await;
    let more = "sms.answer_seconds = 3\nlease_seconds = 7";
    let harness = Harness::start_with(database, more).await;
    let contacts: Vec<_> = (1..=20).map(|number| harness.contact("org-1", number, "en", &["webhook"])).collect();
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    wait_until("something was sent", PATIENCE, async || harness.webhooks.log().count() > 0).await;
    let harness = harness.killed_and_started_again().await;
    let all_delivered = async || {
        let states = harness.states();
        states.len() == 20 && states.iter().all(|state| state.ends_with("delivered"))
    };
    wait_until("everything is delivered", PATIENCE + Duration::from_secs(10), all_delivered).await;
    harness.stop().await;
}

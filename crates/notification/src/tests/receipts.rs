//! Delivery receipts: authentic or not there at all, and in any order.

use tocsin_platform::testing::{TestDatabase, wait_until};

use super::harness::{Alert, Harness, PATIENCE};
use std::sync::{Arc, Mutex};

/// A gateway that keeps the receipt's address and stays silent about deliveries.
async fn silent_gateway() -> (std::net::SocketAddr, Arc<Mutex<Vec<String>>>) {
    use axum::extract::{Query, State};
    let kept: Arc<Mutex<Vec<String>>> = Arc::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let send = |State(kept): State<Arc<Mutex<Vec<String>>>>,
                Query(query): Query<std::collections::HashMap<String, String>>| async move {
        kept.lock().unwrap().push(query["dlr-url"].clone());
        (axum::http::StatusCode::ACCEPTED, "0: Accepted for delivery")
    };
    let router = axum::Router::new().route("/send", axum::routing::get(send)).with_state(Arc::clone(&kept));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, kept)
}

#[tokio::test]
async fn receipts_are_believed_only_with_their_mac_and_never_regress() {
    for database in TestDatabase::both().await {
        let (address, kept) = silent_gateway().await;
        // The first gateway of the list takes the first attempt, so the silent one is the only one here.
        let more = format!(
            "[[notification.sms.gateways]]\nname = 'silent'\nkind = 'kannel'\nusername = 'u'\nurl = 'http://{address}/send'\n"
        );
        let harness = Harness::start_with(database, &more).await;
        let contacts = vec![harness.contact("org-1", 1, "en", &["sms"])];
        harness.import(contacts.clone()).await.unwrap();
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        wait_until("the sink has it", PATIENCE, async || harness.sms.log().count() == 1).await;
        harness.until(&["org-1-c1 sms delivered"]).await;
        assert!(kept.lock().unwrap().is_empty());
        let id = &harness.progress()[0].notice_id;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let at = |gateway: &str, query: &str| format!("{}/receipts/{gateway}?{query}", harness.http());
        for url in [
            at("kannel", &format!("type=2&id={id}&mac={}", "0".repeat(64))),
            at("kannel", &format!("type=2&id={id}&mac=")),
            at("kannel", &format!("type=2&id={id}")),
            at("kannel", "type=2&id=nothing&mac=00"),
            at("kannel", ""),
            at("unknown", &format!("type=2&id={id}&mac={}", "0".repeat(64))),
        ] {
            for request in [client.get(&url), client.post(&url)] {
                assert_eq!(request.send().await.unwrap().status(), 404, "{url}");
            }
        }
        harness.until(&["org-1-c1 sms delivered"]).await;
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_carriers_refusal_is_handed_to_a_person_and_a_later_delivery_wins() {
    let (address, kept) = silent_gateway().await;
    let more = format!(
        "[[notification.sms.gateways]]\nname = 'silent'\nkind = 'kannel'\nusername = 'u'\nurl = 'http://{address}/send'\n"
    );
    let harness = Harness::start_only(TestDatabase::sqlite(), &more).await;
    let mut coordinator = harness.contact("", 9, "en", &["email"]);
    coordinator.contact_id = "coordinator-1".to_owned();
    let contacts = vec![harness.contact("org-1", 1, "en", &["sms"])];
    harness.import([contacts.clone(), vec![coordinator]].concat()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 sms accepted"]).await;
    let url = kept.lock().unwrap()[0].clone();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let tell = async |kind: &str| client.get(url.replace("%d", kind)).send().await.unwrap().status().as_u16();
    assert_eq!(tell("77").await, 400);
    assert_eq!(tell("8").await, 200);
    assert_eq!(tell("16").await, 200);
    harness.until(&["org-1-c1 sms rejected_permanent"]).await;
    assert_eq!(harness.progress()[0].handed_to, "Coordinator One");
    wait_until("the coordinator is called", PATIENCE, async || harness.mail.log().count() == 1).await;
    let mail = String::from_utf8(harness.mail.log().all().remove(0).item.data).unwrap();
    assert!(mail.contains("A7F3-K2C") && mail.contains("by hand"), "{mail}");
    assert_eq!(tell("1").await, 200);
    harness.until(&["org-1-c1 sms delivered"]).await;
    assert_eq!(tell("16").await, 200);
    assert_eq!(tell("1").await, 200);
    harness.until(&["org-1-c1 sms delivered"]).await;
    harness.stop().await;
}

//! Several gateways: the next one when no receipt comes, caps that hold for all processes, and pauses.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use sea_orm::EntityTrait;
use tocsin_domain::role::Role;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::Service;
use tocsin_proto::notification::v1::{ListGatewaysRequest, PauseGatewayRequest, ResumeGatewayRequest};
use tonic::Code;

use super::harness::{Alert, Harness, PATIENCE};
use crate::Migrator;
use crate::entity::attempt;

/// A gateway of Kannel's kind that answers as it is told and keeps what it was sent.
#[derive(Clone)]
struct Gateway {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<Sent>>>,
    answer: Arc<Mutex<(u16, &'static str)>>,
}

#[derive(Clone)]
struct Sent {
    to: String,
    text: String,
    receipt_url: String,
}

const ACCEPTED: (u16, &str) = (202, "0: Accepted for delivery");

impl Gateway {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gateway = Self { address, sent: Arc::default(), answer: Arc::new(Mutex::new(ACCEPTED)) };
        let router = axum::Router::new().fallback(take).with_state(gateway.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        gateway
    }

    fn settings(&self, name: &str) -> String {
        format!(
            "[[notification.sms.gateways]]\nname = '{name}'\nkind = 'kannel'\nusername = 'u'\npassword = 'p'\n\
             url = 'http://{}/send'\n",
            self.address
        )
    }

    fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    async fn tell(&self, number: usize, kind: &str) {
        let url = self.sent()[number].receipt_url.replace("%d", kind);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        assert_eq!(client.get(url).send().await.unwrap().status().as_u16(), 200);
    }
}

async fn take(
    State(gateway): State<Gateway>,
    Query(query): Query<std::collections::HashMap<String, String>>,
) -> (StatusCode, &'static str) {
    let get = |name: &str| query.get(name).cloned().unwrap_or_default();
    let sent = Sent { to: get("to"), text: get("text"), receipt_url: get("dlr-url") };
    gateway.sent.lock().unwrap().push(sent);
    let (status, text) = *gateway.answer.lock().unwrap();
    (StatusCode::from_u16(status).unwrap(), text)
}

async fn two(database: TestDatabase, keys: &str) -> (Harness, Gateway, Gateway) {
    let (first, second) = (Gateway::start().await, Gateway::start().await);
    let more = format!("[notification.sms]\n{keys}\n{}{}", first.settings("first"), second.settings("second"));
    (Harness::start_only(database, &more).await, first, second)
}

#[tokio::test]
async fn an_urgent_message_goes_to_the_next_gateway_when_no_receipt_comes() {
    for database in TestDatabase::both().await {
        let (harness, first, second) = two(database, "receipt_seconds = 1").await;
        let contacts = vec![harness.contact("org-1", 1, "en", &["sms"])];
        harness.import(contacts.clone()).await.unwrap();
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        wait_until("both have it", PATIENCE, async || first.count() == 1 && second.count() == 1).await;
        assert_eq!(first.sent()[0].text, second.sent()[0].text, "under the same short code");
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_eq!((first.count(), second.count()), (1, 1), "no gateway repeats it");
        // One carrier's refusal is not the end while the other may still deliver.
        first.tell(0, "2").await;
        harness.until(&["org-1-c1 sms accepted"]).await;
        second.tell(0, "1").await;
        harness.until(&["org-1-c1 sms delivered"]).await;
        first.tell(0, "16").await;
        harness.until(&["org-1-c1 sms delivered"]).await;
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_carriers_refusal_sends_it_to_the_next_gateway_at_once() {
    let (harness, first, second) = two(TestDatabase::sqlite(), "").await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["sms"])];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 sms accepted"]).await;
    let (used, other) = if first.count() == 1 { (first, second) } else { (second, first) };
    used.tell(0, "16").await;
    wait_until("the other has it", PATIENCE, async || other.count() == 1).await;
    used.tell(0, "16").await;
    harness.until(&["org-1-c1 sms accepted"]).await;
    other.tell(0, "2").await;
    harness.until(&["org-1-c1 sms rejected_permanent"]).await;
    assert_eq!(harness.progress()[0].handed_to, "Coordinator One");
    assert_eq!((used.count(), other.count()), (1, 1));
    harness.stop().await;
}

#[tokio::test]
async fn what_is_withdrawn_or_not_urgent_stays_with_its_gateway() {
    let (harness, first, second) = two(TestDatabase::sqlite(), "receipt_seconds = 2").await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["sms"]), harness.contact("org-2", 2, "en", &["sms"])];
    harness.import(contacts.clone()).await.unwrap();
    let alert = Alert::new("p1", "AMBER");
    harness.request(&alert, &contacts[..1]).await;
    harness.request(&Alert::new("p3", "AMBER"), &contacts[1..]).await;
    harness.until(&["org-1-c1 sms accepted", "org-2-c2 sms accepted"]).await;
    harness.withdraw(&alert, "org-1", "acknowledged").await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(first.count() + second.count(), 2);
    harness.until(&["org-1-c1 sms accepted", "org-2-c2 sms accepted"]).await;
    harness.stop().await;
}

#[tokio::test]
async fn success_without_a_status_is_not_sent_again_to_the_same_gateway() {
    let gateway = Gateway::start().await;
    *gateway.answer.lock().unwrap() = (200, "Sent.");
    let more = format!("[notification.sms]\nreceipt_seconds = 1\n{}", gateway.settings("only"));
    let harness = Harness::start_only(TestDatabase::sqlite(), &more).await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["sms"])];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 sms handed_to_gateway"]).await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(gateway.count(), 1);
    gateway.tell(0, "1").await;
    harness.until(&["org-1-c1 sms delivered"]).await;
    harness.stop().await;
}

#[tokio::test]
async fn a_cap_holds_for_the_range_and_for_the_day() {
    for (keys, expected) in [("spend_per_day_max = 2", "spend_cap"), ("range_per_day_max = 2", "range_cap")] {
        for database in TestDatabase::both().await {
            let gateway = Gateway::start().await;
            let more = format!("[notification.sms]\n{keys}\n{}", gateway.settings("only"));
            let harness = Harness::start_only(database, &more).await;
            let contacts: Vec<_> = (1..=5).map(|number| harness.contact("org-1", number, "en", &["sms"])).collect();
            harness.import(contacts.clone()).await.unwrap();
            harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
            let waiting = || {
                let progress = harness.progress();
                let held = progress.iter().filter(|one| one.state == "queued" && one.reason == expected).count();
                let sent = progress.iter().filter(|one| one.state == "accepted").count();
                (sent, held)
            };
            wait_until("two are sent and three wait", PATIENCE, async || waiting() == (2, 3)).await;
            assert_eq!(gateway.count(), 2);
            // The counters are rows: a new process goes on where the old one stood.
            let harness = harness.killed_and_started_again().await;
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
            assert_eq!(gateway.count(), 2);
            harness.stop().await;
        }
    }
}

#[tokio::test]
async fn a_paused_gateway_is_passed_over_until_it_is_resumed() {
    let (harness, first, second) = two(TestDatabase::sqlite(), "").await;
    let contacts: Vec<_> = (1..=6).map(|number| harness.contact("org-1", number, "en", &["sms"])).collect();
    harness.import(contacts.clone()).await.unwrap();
    let pause = async |name: &str| {
        let request = harness
            .authorised(Role::Operator, PauseGatewayRequest { name: name.to_owned(), reason: "maintenance".to_owned() })
            .await;
        harness.gateways().await.pause_gateway(request).await
    };
    assert!(pause("first").await.unwrap().into_inner().gateway.unwrap().paused);
    assert_eq!(pause("nobody").await.unwrap_err().code(), Code::NotFound);
    let request = harness
        .authorised(
            Role::SignatoryDelegate,
            PauseGatewayRequest { name: "first".to_owned(), reason: "maintenance".to_owned() },
        )
        .await;
    assert_eq!(harness.gateways().await.pause_gateway(request).await.unwrap_err().code(), Code::PermissionDenied);
    harness.request(&Alert::new("p1", "AMBER"), &contacts[..3]).await;
    wait_until("the other one sends", PATIENCE, async || second.count() == 3).await;
    pause("second").await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts[3..]).await;
    let held = || harness.progress().iter().filter(|one| one.reason == "gateways_paused").count();
    wait_until("the rest waits", PATIENCE, async || held() == 3).await;
    assert_eq!((first.count(), second.count()), (0, 3));
    let request = harness
        .authorised(Role::Operator, ResumeGatewayRequest { name: "first".to_owned(), reason: "mended".to_owned() })
        .await;
    harness.gateways().await.resume_gateway(request).await.unwrap();
    let accepted = || harness.states().iter().filter(|state| state.ends_with("accepted")).count();
    wait_until("the resumed one sends", PATIENCE, async || first.count() == 3 && accepted() == 6).await;
    let request = harness.authorised(Role::Operator, ListGatewaysRequest {}).await;
    let listed = harness.gateways().await.list_gateways(request).await.unwrap().into_inner().gateways;
    let texts = listed.iter().filter(|one| one.channel == "sms");
    let shown: Vec<_> = texts.map(|one| (one.name.as_str(), one.paused, one.awaiting_receipts)).collect();
    assert_eq!(shown, [("first", false, 3), ("second", true, 3)]);
    harness.stop().await;
}

#[tokio::test]
async fn each_crash_between_send_and_record_repeats_once_at_most() {
    let gateway = Gateway::start().await;
    let harness = Harness::start_only(TestDatabase::sqlite(), &gateway.settings("only")).await;
    let contacts: Vec<_> = (1..=40).map(|number| harness.contact("org-1", number, "en", &["sms"])).collect();
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    let mut harness = harness;
    for sends in [3, 25, 45] {
        wait_until("some are sent", PATIENCE, async || gateway.count() >= sends || settled(&harness)).await;
        harness = harness.killed_and_started_again().await;
    }
    wait_until("everything is explained", PATIENCE, async || settled(&harness)).await;
    for contact in &contacts {
        let times = gateway.sent().iter().filter(|sent| sent.to == contact.phone).count();
        assert!((1..=4).contains(&times), "{times} times to {} in 3 crashes", contact.contact_id);
    }
    harness.stop().await;
}

fn settled(harness: &Harness) -> bool {
    let states = harness.states();
    states.len() == 40 && states.iter().all(|state| state.ends_with("accepted"))
}

#[tokio::test]
async fn each_try_of_another_gateway_stands_in_the_log_of_attempts() {
    let (harness, first, second) = two(TestDatabase::sqlite(), "receipt_seconds = 1").await;
    *second.answer.lock().unwrap() = (503, "busy");
    let contacts = vec![harness.contact("org-1", 1, "en", &["sms"])];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    wait_until("the other is asked twice", PATIENCE, async || first.count() == 1 && second.count() >= 2).await;
    *second.answer.lock().unwrap() = ACCEPTED;
    let tries = second.count() + 1;
    wait_until("and takes it in the end", PATIENCE, async || second.count() == tries).await;
    harness.until(&["org-1-c1 sms accepted"]).await;
    let Harness { database, .. } = &harness;
    let reader = database.open::<Migrator>(Service::Notification).await;
    let logged = async || attempt::Entity::find().all(reader.reader()).await.unwrap();
    wait_until("all tries are logged", PATIENCE, async || logged().await.len() == tries + 1).await;
    let codes: Vec<String> = logged().await.into_iter().map(|row| row.code).collect();
    assert_eq!(codes.iter().filter(|code| *code == "http_503").count(), tries - 1, "{codes:?}");
    harness.stop().await;
}

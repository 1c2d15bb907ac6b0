//! Destinations that fail: what waits, what is tried all the same, and what follows when they recover.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use tocsin_domain::channel::Channel;
use tocsin_domain::role::Role;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::notification::v1::{ListDegradedDestinationsRequest, ListDegradedDestinationsResponse};
use tonic::{Code, Status};

use super::harness::{Alert, Harness, PATIENCE, contact_with_hook};
use super::leases::another_process;
use crate::entity::{attempt, notice};

/// A webhook's host that fails until it is told to be well.
struct Host {
    address: SocketAddr,
    is_well: Arc<AtomicBool>,
    arrived: Arc<AtomicUsize>,
}

impl Host {
    async fn start() -> Self {
        let (is_well, arrived) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (well, count) = (Arc::clone(&is_well), Arc::clone(&arrived));
        let post = axum::routing::post(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let well = well.load(Ordering::SeqCst);
            async move { if well { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE } }
        });
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/", post)).await });
        Self { address, is_well, arrived }
    }

    fn hook(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn arrived(&self) -> usize {
        self.arrived.load(Ordering::SeqCst)
    }
}

/// Three failures open a breaker, and its probes are two seconds apart.
const SETTINGS: &str = "breaker.failures_max = 3\nbreaker.probe_seconds = 2\nbreaker.probe_seconds_max = 2\n\
                        retry.normal_seconds = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]";

#[tokio::test]
async fn what_is_not_urgent_waits_for_a_destination_that_fails() {
    for database in TestDatabase::both().await {
        let host = Host::start().await;
        let harness = Harness::start_with(database, SETTINGS).await;
        let failing: Vec<_> =
            (1..=40).map(|number| contact_with_hook("org-1", number, "en", &["webhook"], host.hook())).collect();
        let others: Vec<_> = (41..=60).map(|number| harness.contact("org-2", number, "en", &["webhook"])).collect();
        let contacts = [failing, others].concat();
        harness.import(contacts.clone()).await.unwrap();
        let began = Instant::now();
        harness.request(&Alert::new("p3", "AMBER"), &contacts).await;
        let reason = |reason: &str| harness.progress().iter().filter(|notice| notice.reason == reason).count();
        wait_until("they wait", PATIENCE, async || reason("breaker_open") >= 30).await;
        wait_until("the others are served", PATIENCE, async || harness.webhooks.log().count() == 20).await;
        // Those in flight when it opened, the third failure's place among them taken anew, and a probe every two seconds.
        let arrived = host.arrived();
        let probes = usize::try_from(began.elapsed().as_secs()).unwrap() / 2 + 1;
        assert!(arrived <= 6 + probes, "{arrived} attempts, {probes} of them probes");
        let degraded = harness.running.office.engine.degraded();
        assert_eq!((degraded.len(), degraded[0].channel), (1, Channel::Webhook));
        assert!(degraded[0].failures >= 3 && degraded[0].since <= harness.clock.now());
        assert!(degraded[0].contact_ids.iter().all(|id| id.starts_with("org-1-c")), "{degraded:?}");
        let database = another_process(&harness).await;
        let attempts = attempt::Entity::find().all(database.reader()).await.unwrap();
        let failed = attempts.iter().filter(|attempt| attempt.outcome == "temporary").count();
        assert!(failed >= 3 && failed <= host.arrived(), "waiting is no attempt: {failed}");
        let waits = |row: &&notice::Model| row.reason.as_deref() == Some("breaker_open") && row.attempts == 0;
        let rows = notice::Entity::find().all(database.reader()).await.unwrap();
        assert!(rows.iter().filter(waits).count() >= 40 - host.arrived(), "{rows:?}");

        host.is_well.store(true, Ordering::SeqCst);
        let delivered = async || harness.states().iter().filter(|state| state.ends_with("delivered")).count() == 60;
        wait_until("the host is served when it answers", PATIENCE, delivered).await;
        assert!(harness.running.office.engine.degraded().is_empty());
        harness.stop().await;
    }
}

#[tokio::test]
async fn an_urgent_notice_is_tried_once_and_its_contact_reached_by_the_next_channel() {
    for database in TestDatabase::both().await {
        let host = Host::start().await;
        let more = format!("{SETTINGS}\nretry.urgent_seconds = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]");
        let more = more.replace("probe_seconds = 2", "probe_seconds = 300").replace("_max = 2\n", "_max = 300\n");
        let harness = Harness::start_with(database, &more).await;
        let opens: Vec<_> =
            (1..=4).map(|number| contact_with_hook("org-1", number, "en", &["webhook"], host.hook())).collect();
        let channels = ["webhook", "email", "sms"];
        let urgent: Vec<_> =
            (5..=10).map(|number| contact_with_hook("org-2", number, "en", &channels, host.hook())).collect();
        harness.import([opens.clone(), urgent.clone()].concat()).await.unwrap();
        harness.request(&Alert::new("p3", "AMBER"), &opens).await;
        wait_until("its breaker opens", PATIENCE, async || harness.running.office.engine.degraded().len() == 1).await;
        wait_until("its attempts have ended", PATIENCE, async || host.arrived() == 4).await;
        harness.request(&Alert::new("p2", "AMBER"), &urgent).await;
        // Long before the 90 s have passed.
        wait_until("the next channel starts", PATIENCE, async || harness.mail.log().count() == 6).await;
        let waits = async || {
            let progress = harness.progress();
            progress.iter().filter(|one| one.organisation_id == "org-2" && one.reason == "breaker_open").count() == 6
        };
        wait_until("their retries wait for a probe", PATIENCE, waits).await;
        assert_eq!(host.arrived(), 10, "each was tried once");
        assert_eq!(harness.sms.log().count(), 0, "one channel further, not all");
        assert_eq!(harness.running.office.engine.degraded()[0].failures, 10);
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_channel_that_ends_does_not_keep_the_next_one_waiting() {
    let harness = Harness::start_with(TestDatabase::sqlite(), "retry.urgent_seconds = []").await;
    let host = Host::start().await;
    let contacts = vec![contact_with_hook("org-1", 1, "en", &["webhook", "email"], host.hook())];
    harness.import(contacts.clone()).await.unwrap();
    let began = Instant::now();
    harness.request(&Alert::new("p2", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 email accepted", "org-1-c1 webhook failed_temporary"]).await;
    // One that has ended before is not waited for either.
    let other = another_process(&harness).await;
    let sql = "UPDATE contacts SET webhook_disabled = TRUE, version = version + 1";
    let transaction = other.begin().await.unwrap();
    transaction.execute_raw(Statement::from_string(other.backend(), sql)).await.unwrap();
    transaction.commit().await.unwrap();
    harness.request(&Alert::new("p2", "AMBER"), &contacts).await;
    wait_until("the second alert arrives by mail", PATIENCE, async || harness.mail.log().count() == 2).await;
    assert!(began.elapsed() < Duration::from_mins(1), "it waited for its 90 seconds");
    harness.stop().await;
}

async fn list_degraded(
    harness: &Harness,
    role: Role,
    page_token: &str,
) -> Result<ListDegradedDestinationsResponse, Status> {
    let ask = ListDegradedDestinationsRequest { page_size: 1, page_token: page_token.to_owned() };
    let ask = harness.authorised(role, ask).await;
    harness.gateways().await.list_degraded_destinations(ask).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn people_see_in_pages_what_fails_and_an_operator_sees_nobodys_id() {
    let before = tocsin_platform::clock::Clock::system().now();
    let harness = Harness::start_with(TestDatabase::sqlite(), SETTINGS).await;
    let none = list_degraded(&harness, Role::Operator, "").await.unwrap();
    assert_eq!((none.destinations.len(), none.next_page_token.as_str()), (0, ""));
    let seen_since = from_timestamp(none.seen_since.as_ref()).unwrap();
    assert!(before <= seen_since && seen_since <= harness.clock.now(), "since its start: {seen_since}");

    let hosts = [Host::start().await, Host::start().await];
    // One after the other, so that their order is known.
    for (place, host) in (1_u32..).zip(&hosts) {
        let organisation = format!("org-{place}");
        let contacts: Vec<_> =
            (1..=4).map(|number| contact_with_hook(&organisation, number, "en", &["webhook"], host.hook())).collect();
        harness.import(contacts.clone()).await.unwrap();
        harness.request(&Alert::new("p3", "AMBER"), &contacts).await;
        let fails = async || harness.running.office.engine.degraded().len() == usize::try_from(place).unwrap();
        wait_until("its breaker opens", PATIENCE, fails).await;
    }
    for role in [Role::Coordinator, Role::DutyOfficer, Role::Operator, Role::Administrator] {
        let first = list_degraded(&harness, role, "").await.unwrap();
        let second = list_degraded(&harness, role, &first.next_page_token).await.unwrap();
        assert_eq!((first.next_page_token.is_empty(), second.next_page_token.as_str()), (false, ""), "{role:?}");
        let names = matches!(role, Role::Coordinator | Role::DutyOfficer);
        for (page, organisation) in [(first, "org-1-c"), (second, "org-2-c")] {
            assert_eq!(page.destinations.len(), 1, "{role:?}");
            let one = &page.destinations[0];
            assert!(one.channel == "webhook" && one.failures >= 3, "{one:?}");
            assert!(from_timestamp(one.since.as_ref()).unwrap() >= seen_since, "{one:?}");
            assert_eq!(!one.contact_ids.is_empty(), names, "{role:?}: {one:?}");
            assert!(one.contact_ids.iter().all(|id| id.starts_with(organisation)), "{one:?}");
        }
    }
    let refused = list_degraded(&harness, Role::Auditor, "").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let wrong = list_degraded(&harness, Role::Operator, "nowhere").await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    harness.stop().await;
}

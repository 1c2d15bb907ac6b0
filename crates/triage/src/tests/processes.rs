//! Two processes of triage over one database: each thing happens once, whichever of them does it.

use chrono::TimeDelta;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::Settings;
use tocsin_platform::credentials::Credentials;
use tocsin_platform::lifecycle::{LifecycleError, Shutdown, ShutdownHandle};
use tocsin_platform::service::{Parts, Peers};
use tocsin_platform::testing::wait_until;
use tocsin_proto::catalogue::{PAGE_REQUESTED, Service, TRIAGE_KEY_PUBLISHED};
use tocsin_proto::event::v1 as event;
use tocsin_proto::triage::v1 as wire;
use tocsin_proto::triage::v1::case_service_client::CaseServiceClient;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use super::fixtures::Scenario;
use super::house::{House, LIMIT, Stored};
use crate::App;

/// Another process of triage.
struct Another {
    cases: CaseServiceClient<Channel>,
    handle: ShutdownHandle,
    running: JoinHandle<Result<(), LifecycleError>>,
}

impl Another {
    async fn start(house: &House, clock: Clock) -> Self {
        let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = format!("http://{}", grpc.local_addr().unwrap());
        let parts = Parts {
            settings: Settings::from_text(&house.settings).unwrap(),
            credentials: Credentials::open(house.stored.settings(), clock.clone()).await.unwrap(),
            clock,
            bus: house.bus.clone(),
            grpc,
            http: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            peers: Some(Peers { dispatch: house.peer.clone(), notification: house.peer.clone() }),
        };
        let (handle, shutdown) = Shutdown::pair();
        let app = Box::pin(App::build(parts)).await.unwrap();
        let running = tokio::spawn(app.run(shutdown));
        let channel = tocsin_platform::grpc::connect(&door, Service::Triage, None).unwrap();
        Self { cases: CaseServiceClient::new(channel), handle, running }
    }

    async fn stop(self) {
        self.handle.drain();
        self.running.await.unwrap().unwrap();
    }
}

async fn on_postgres() -> House {
    let [_, stored] = Stored::both().await;
    House::start(stored).await
}

#[tokio::test]
async fn a_clock_that_is_due_pages_once() {
    let house = on_postgres().await;
    let other = Another::start(&house, house.clock.on_another_machine()).await;
    for _ in 0..3 {
        house.submit(&Scenario::workshop().report()).await;
    }
    house.hears::<event::PageRequested>(&PAGE_REQUESTED, 3).await;
    house.clock.advance(TimeDelta::minutes(16));
    house.hears::<event::PageRequested>(&PAGE_REQUESTED, 6).await;
    // Both have looked again when the next level is due.
    house.clock.advance(TimeDelta::minutes(10));
    let pages = house.hears::<event::PageRequested>(&PAGE_REQUESTED, 9).await;
    let mut levels: Vec<u32> = pages.iter().map(|page| page.level).collect();
    levels.sort_unstable();
    assert_eq!(levels, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    other.stop().await;
    house.stop().await;
}

#[tokio::test]
async fn a_process_with_a_wrong_clock_makes_no_key_and_pages_nobody_early() {
    let house = on_postgres().await;
    let first = house.triage_key().await;
    house.submit(&Scenario::workshop().report()).await;
    let clock = house.clock.on_another_machine();
    clock.step(TimeDelta::days(40));
    let other = Another::start(&house, clock).await;
    // It says the key again when it starts, and looks at the clocks at once.
    let said = house.hears::<event::KeyPublished>(&TRIAGE_KEY_PUBLISHED, 2).await;
    assert!(said.iter().all(|said| said.key.as_ref().unwrap().id == first.id), "the key is not a day old");
    house.submit(&Scenario::dam().report()).await;
    let pages = house.hears::<event::PageRequested>(&PAGE_REQUESTED, 2).await;
    assert_eq!(pages.iter().map(|page| page.level).collect::<Vec<_>>(), [0, 0]);
    other.stop().await;
    house.stop().await;
}

#[tokio::test]
async fn a_process_with_a_wrong_clock_starts_the_clocks_of_a_case_rightly() {
    for wrong in [TimeDelta::hours(2), TimeDelta::hours(-2)] {
        let house = on_postgres().await;
        let right = house.clock.on_another_machine();
        house.clock.step(wrong);
        let (case, _) = house.submit(&Scenario::workshop().report()).await;
        house.hears::<event::PageRequested>(&PAGE_REQUESTED, 1).await;
        let due_at = house.get(&case).await.summary.unwrap().escalates_at.unwrap().seconds;
        let minutes = (due_at - right.now().timestamp()).div_euclid(60);
        assert!((13..=15).contains(&minutes), "wrong by {wrong}: {minutes}");
        house.clock.advance(TimeDelta::minutes(16));
        let pages = house.hears::<event::PageRequested>(&PAGE_REQUESTED, 2).await;
        assert_eq!(pages.iter().map(|page| page.level).collect::<Vec<_>>(), [0, 1]);
        let answer_due_at = pages[1].answer_due_at.unwrap().seconds - super::house::morning().timestamp();
        assert!((29 * 60..=31 * 60).contains(&answer_due_at), "wrong by {wrong}: {answer_due_at}");
        house.stop().await;
    }
}

#[tokio::test]
async fn a_day_makes_one_new_pair_for_both() {
    let house = on_postgres().await;
    let other = Another::start(&house, house.clock.on_another_machine()).await;
    house.hears::<event::KeyPublished>(&TRIAGE_KEY_PUBLISHED, 2).await;
    let stored_before = house.triage_key().await;
    other.stop().await;
    let stored = house.stop().await;
    let house = House::start_at(stored, super::house::morning() + TimeDelta::hours(25)).await;
    let other = Another::start(&house, house.clock.on_another_machine()).await;
    let said = house.hears::<event::KeyPublished>(&TRIAGE_KEY_PUBLISHED, 2).await;
    let ids: Vec<String> = said.into_iter().map(|said| said.key.unwrap().id).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && *id != stored_before.id), "{ids:?}");
    other.stop().await;
    house.stop().await;
}

#[tokio::test]
async fn what_one_process_did_the_other_sees_at_once() {
    let house = on_postgres().await;
    let other = Another::start(&house, house.clock.on_another_machine()).await;
    let (case, _) = house.submit(&Scenario::workshop().report()).await;
    let coordinator = house.coordinator().await;
    let request = || coordinator.asks(wire::AcknowledgeCaseRequest { case: case.clone() });
    let (mut here, mut there) = (house.cases.clone(), other.cases.clone());
    let (one, two) = tokio::join!(here.acknowledge_case(request()), there.acknowledge_case(request()));
    assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
    let look = coordinator.asks(wire::GetCaseRequest { case: case.clone() });
    let seen = other.cases.clone().get_case(look).await.unwrap().into_inner().summary.unwrap();
    assert_eq!(seen.state, house.get(&case).await.summary.unwrap().state);
    let listed = async || {
        let request = coordinator.asks(wire::ListCasesRequest::default());
        other.cases.clone().list_cases(request).await.unwrap().into_inner().cases.len() == 1
    };
    wait_until("the other process lists it", LIMIT, listed).await;
    other.stop().await;
    house.stop().await;
}

//! Several at once: of two releases one wins, and what changed while dispatch was asked is not released.

use std::time::Duration;

use tocsin_domain::role::Role;
use tocsin_platform::testing::wait_until;
use tocsin_proto::catalogue::ALERT_RELEASED;
use tocsin_proto::event::v1 as event;
use tocsin_proto::triage::v1 as wire;

use super::fixtures::Scenario;
use super::house::{House, LIMIT, Stored, reason};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_releases_at_once_exactly_one_wins() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let scenario = Scenario::workshop();
        let (case, _) = house.submit(&scenario.report()).await;
        house.walk_to_draft(&scenario, &case).await;
        house.approve(&case, 1).await;
        house.answers.pause(Duration::from_millis(100));
        let people = [
            house.coordinator().await,
            house.person("coordinator-2", &[Role::Coordinator]).await,
            house.person("coordinator-3", &[Role::Coordinator]).await,
            house.person("coordinator-4", &[Role::Coordinator]).await,
        ];
        let releases = people.map(|person| {
            let mut cases = house.cases.clone();
            let request = wire::ReleaseAlertRequest { case: case.clone(), drill: false };
            tokio::spawn(async move { cases.release_alert(person.asks(request)).await })
        });
        let mut won = 0;
        for release in releases {
            match release.await.unwrap() {
                Ok(answer) => {
                    assert!(answer.into_inner().released);
                    won += 1;
                }
                lost => assert_eq!(reason(lost), "ALREADY_RELEASED"),
            }
        }
        assert_eq!(won, 1);
        assert_eq!(house.hears::<event::AlertReleased>(&ALERT_RELEASED, 1).await.len(), 1);
        assert_eq!(house.get(&case).await.alerts.len(), 1);
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_withdrawn_while_dispatch_is_asked_stops_the_release() {
    let house = House::start(Stored::sqlite()).await;
    let scenario = Scenario::workshop();
    let (case, _) = house.submit(&scenario.report()).await;
    house.walk_to_draft(&scenario, &case).await;
    house.approve(&case, 1).await;
    house.answers.pause(Duration::from_secs(2));
    let coordinator = house.coordinator().await;
    let mut cases = house.cases.clone();
    let request = wire::ReleaseAlertRequest { case: case.clone(), drill: false };
    let release = tokio::spawn(async move { cases.release_alert(coordinator.asks(request)).await });
    wait_until("dispatch is asked", LIMIT, async || !house.answers.asked().is_empty()).await;
    let mut consent = scenario.consents().remove(0);
    consent.status = "withdrawn".to_owned();
    house.consent(&case, consent).await;
    assert_eq!(reason(release.await.unwrap()), "CASE_CHANGED");
    house.answers.pause(Duration::ZERO);
    assert_eq!(house.release(&case).await.unwrap().refusals, ["consent: members_alert withdrawn"]);
    assert!(house.heard.of::<event::AlertReleased>(&ALERT_RELEASED).is_empty());
    house.stop().await;
}

//! The clocks of the first answer, with time set forward.

use chrono::TimeDelta;
use tocsin_domain::role::Role;
use tocsin_proto::catalogue::PAGE_REQUESTED;
use tocsin_proto::event::v1 as event;
use tocsin_proto::triage::v1 as wire;

use super::fixtures::Scenario;
use super::house::{House, Stored, morning};

fn levels(pages: &[event::PageRequested]) -> Vec<(u32, usize)> {
    pages.iter().map(|page| (page.level, page.contact_ids.len())).collect()
}

#[tokio::test]
async fn nobody_answering_pages_the_next_and_then_everybody() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let (case, _) = house.submit(&Scenario::workshop().report()).await;
        let summary = house.get(&case).await.summary.unwrap();
        let minutes = (summary.escalates_at.unwrap().seconds - summary.received_at.unwrap().seconds).div_euclid(60);
        assert!((14..=15).contains(&minutes), "{minutes}");
        house.hears::<event::PageRequested>(&PAGE_REQUESTED, 1).await;
        let stored = house.stop().await;

        let house = House::start_at(stored, morning() + TimeDelta::minutes(16)).await;
        let pages = house.hears::<event::PageRequested>(&PAGE_REQUESTED, 1).await;
        assert_eq!(levels(&pages), [(1, 1)]);
        assert_eq!(pages[0].contact_ids, ["duty-2"]);
        let due_at = pages[0].answer_due_at.unwrap().seconds - morning().timestamp();
        assert!((29 * 60..=31 * 60).contains(&due_at), "{due_at}");
        let stored = house.stop().await;

        let house = House::start_at(stored, morning() + TimeDelta::minutes(26)).await;
        let pages = house.hears::<event::PageRequested>(&PAGE_REQUESTED, 1).await;
        assert_eq!(levels(&pages), [(2, 3)]);
        assert!(house.get(&case).await.summary.unwrap().escalates_at.is_none());
        let stored = house.stop().await;

        // Nothing is paged twice.
        let house = House::start_at(stored, morning() + TimeDelta::hours(9)).await;
        house.submit(&Scenario::dam().report()).await;
        let pages = house.hears::<event::PageRequested>(&PAGE_REQUESTED, 1).await;
        assert_eq!(levels(&pages), [(0, 1)]);
        house.stop().await;
    }
}

#[tokio::test]
async fn a_case_that_cannot_be_paged_for_stops_no_other() {
    let house = House::start(Stored::sqlite()).await;
    house.submit(&Scenario::workshop().report()).await;
    let (second, _) = house.submit(&Scenario::dam().report()).await;
    let second = house.get(&second).await.summary.unwrap().case_id;
    let stored = house.stop().await;
    // What no release of triage writes stands in the case whose clock is due first.
    let spoil = "UPDATE cases SET priority = 'p9' WHERE case_id = (SELECT MIN(case_id) FROM cases)";
    assert_eq!(stored.rewrite("triage", spoil).await, 1);

    let house = House::start_at(stored, morning() + TimeDelta::minutes(16)).await;
    let pages = house.hears::<event::PageRequested>(&PAGE_REQUESTED, 1).await;
    assert_eq!((pages[0].case_id.as_str(), pages[0].level), (second.as_str(), 1));
    house.stop().await;
}

#[tokio::test]
async fn an_answer_stops_the_clocks() {
    let house = House::start(Stored::sqlite()).await;
    let (case, _) = house.submit(&Scenario::workshop().report()).await;
    let duty = house.person("duty-1", &[Role::DutyOfficer]).await;
    let request = wire::AcknowledgeCaseRequest { case };
    let answered = house.cases.clone().acknowledge_case(duty.asks(request.clone())).await.unwrap().into_inner();
    let summary = answered.summary.unwrap();
    assert!(summary.escalates_at.is_none() && summary.acknowledged_at.is_some());
    assert!(summary.coordinator.is_none(), "a duty officer does not own the case");
    let again = house.cases.clone().acknowledge_case(duty.asks(request)).await.unwrap().into_inner();
    assert_eq!(again.summary.unwrap().acknowledged_at, summary.acknowledged_at);
    let stored = house.stop().await;

    let house = House::start_at(stored, morning() + TimeDelta::hours(2)).await;
    house.submit(&Scenario::dam().report()).await;
    let pages = house.hears::<event::PageRequested>(&PAGE_REQUESTED, 1).await;
    assert_eq!(levels(&pages), [(0, 1)], "only the new case rings");
    house.stop().await;
}

#[tokio::test]
async fn a_higher_band_rings_again() {
    let house = House::start(Stored::sqlite()).await;
    let mut report = Scenario::dam().report();
    report.kinds = vec!["smear_campaign".to_owned()];
    report.adversary_date = None;
    let (case, _) = house.submit(&report).await;
    let summary = house.get(&case).await.summary.unwrap();
    assert_eq!((summary.priority.as_str(), summary.assessed), ("p2", false));
    let coordinator = house.coordinator().await;
    let mut cases = house.cases.clone();
    cases.acknowledge_case(coordinator.asks(wire::AcknowledgeCaseRequest { case: case.clone() })).await.unwrap();
    let source = Scenario::dam().sources().remove(0);
    let request = wire::RecordSourceRequest { case: case.clone(), source: Some(source) };
    cases.record_source(coordinator.asks(request)).await.unwrap();
    let mut request = wire::AssessCaseRequest {
        case: case.clone(),
        factors: Some(wire::Factors::default()),
        claim: "possible".to_owned(),
        changed_priority: "p3".to_owned(),
        changed_reason: "A pattern, but it grows.".to_owned(),
        ..wire::AssessCaseRequest::default()
    };
    let assessed = cases.assess_case(coordinator.asks(request.clone())).await.unwrap().into_inner();
    assert_eq!(assessed.assessment.unwrap().priority, "p3");
    request.changed_priority = String::new();
    request.changed_reason = String::new();
    request.overrides = vec!["dated_death_threat".to_owned()];
    let assessed = cases.assess_case(coordinator.asks(request)).await.unwrap().into_inner();
    assert_eq!(assessed.summary.unwrap().priority, "p1");
    let pages = house.hears::<event::PageRequested>(&PAGE_REQUESTED, 2).await;
    assert_eq!((pages[1].priority.as_str(), pages[1].level), ("p1", 0));
    assert_eq!(pages[1].contact_ids, ["duty-1", "coordinator-1"]);
    assert!(house.get(&case).await.summary.unwrap().escalates_at.is_none(), "a person has answered already");
    house.stop().await;
}

//! Who may use which verb: the domain's table decides, and both ends of the gate stay in different hands.

use tocsin_domain::role::Role;
use tocsin_proto::triage::v1 as wire;

use super::fixtures::Scenario;
use super::house::{House, Stored, reason};

#[tokio::test]
async fn an_approver_does_not_release() {
    let house = House::start(Stored::sqlite()).await;
    let scenario = Scenario::workshop();
    let (case, _) = house.submit(&scenario.report()).await;
    house.walk_to_draft(&scenario, &case).await;
    house.approve(&case, 1).await;
    let approver = house.person("approver-1", &[Role::Approver]).await;
    let request = wire::ReleaseAlertRequest { case: case.clone(), drill: false };
    assert_eq!(reason(house.cases.clone().release_alert(approver.asks(request)).await), "ROLE_MISSING");
    assert!(house.release(&case).await.unwrap().released);
    house.stop().await;
}

#[tokio::test]
async fn a_duty_officer_neither_assesses_nor_records_consents() {
    let house = House::start(Stored::sqlite()).await;
    let scenario = Scenario::workshop();
    let (case, _) = house.submit(&scenario.report()).await;
    let duty = house.person("duty-1", &[Role::DutyOfficer]).await;
    let mut cases = house.cases.clone();
    let assess = wire::AssessCaseRequest {
        case: case.clone(),
        factors: Some(scenario.factors()),
        claim: "likely".to_owned(),
        ..wire::AssessCaseRequest::default()
    };
    assert_eq!(reason(cases.assess_case(duty.asks(assess)).await), "ROLE_MISSING");
    let consent = scenario.consents().pop();
    let consent = wire::RecordConsentRequest { case, consent };
    assert_eq!(reason(cases.record_consent(duty.asks(consent)).await), "ROLE_MISSING");
    house.stop().await;
}

#[tokio::test]
async fn whoever_works_on_a_release_may_stop_the_case() {
    let house = House::start(Stored::sqlite()).await;
    let (case, _) = house.submit(&Scenario::workshop().report()).await;
    for role in Role::ALL.iter().copied() {
        let person = house.person_of("somebody-1", &[role], Some("org-001"), None).await;
        let request = wire::StopCaseRequest { case: case.clone(), reason: "The family asks for silence.".to_owned() };
        let stopped = house.cases.clone().stop_case(person.asks(request)).await;
        if [Role::DutyOfficer, Role::Coordinator, Role::Approver].contains(&role) {
            assert!(stopped.is_ok(), "{role}: {stopped:?}");
        } else {
            assert_eq!(reason(stopped), "ROLE_MISSING", "{role}");
        }
    }
    house.stop().await;
}

#[tokio::test]
async fn cases_are_seen_by_those_who_work_on_them_and_by_auditors_and_custodians() {
    let house = House::start(Stored::sqlite()).await;
    let (case, _) = house.submit(&Scenario::workshop().report()).await;
    let readers = [Role::DutyOfficer, Role::Verifier, Role::Coordinator, Role::Approver];
    for role in Role::ALL.iter().copied() {
        let person = house.person_of("somebody-1", &[role], Some("org-001"), None).await;
        let listed = house.cases.clone().list_cases(person.asks(wire::ListCasesRequest::default())).await;
        let opened = house.cases.clone().get_case(person.asks(wire::GetCaseRequest { case: case.clone() })).await;
        if readers.contains(&role) || [Role::Auditor, Role::IdentityCustodian].contains(&role) {
            assert_eq!(listed.unwrap().into_inner().cases.len(), 1, "{role}");
            assert_eq!(opened.unwrap().into_inner().report.is_some(), readers.contains(&role), "{role}");
        } else {
            assert_eq!((reason(listed), reason(opened)), ("ROLE_MISSING".into(), "ROLE_MISSING".into()), "{role}");
        }
    }
    house.stop().await;
}

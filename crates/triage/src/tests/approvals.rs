//! Approvals: by whom, of which version, and how often one person counts.

use tocsin_domain::role::Role;
use tocsin_proto::triage::v1 as wire;

use super::fixtures::Scenario;
use super::house::{House, Person, Stored, reason};

async fn approve(
    house: &House,
    who: &Person,
    case: &str,
    version: u32,
) -> Result<wire::ApproveAlertResponse, tonic::Status> {
    let request = wire::ApproveAlertRequest { case: case.to_owned(), draft_version: version };
    house.cases.clone().approve_alert(who.asks(request)).await.map(tonic::Response::into_inner)
}

async fn submitted(house: &House, scenario: &Scenario) -> String {
    let (case, _) = house.submit(&scenario.report()).await;
    house.walk_to_draft(scenario, &case).await;
    let coordinator = house.coordinator().await;
    let request = wire::SubmitForApprovalRequest { case: case.clone() };
    let due = house.cases.clone().submit_for_approval(coordinator.asks(request)).await.unwrap().into_inner();
    // Two hours at P1.
    let hours = (due.approvals_due_at.unwrap().seconds - house.clock.now().timestamp()).div_euclid(3600);
    assert!((1..=2).contains(&hours), "{hours}");
    case
}

#[tokio::test]
async fn who_may_not_approve_is_told_why() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let case = submitted(&house, &Scenario::workshop()).await;
        let all = [Role::Coordinator, Role::Verifier, Role::Approver];
        let drafter = house.person("coordinator-1", &all).await;
        assert_eq!(reason(approve(&house, &drafter, &case, 1).await), "OWN_DRAFT");
        let verifier = house.person("verifier-1", &all).await;
        assert_eq!(reason(approve(&house, &verifier, &case, 1).await), "VERIFIED_CASE");
        // The reporter's organisation is org-014, the country XA.
        let colleague = house.person_of("approver-4", &[Role::Approver], Some("org-014"), None).await;
        assert_eq!(reason(approve(&house, &colleague, &case, 1).await), "CONFLICT_OF_INTEREST");
        let neighbour = house.person_of("approver-5", &[Role::Approver], None, Some("XA")).await;
        assert_eq!(reason(approve(&house, &neighbour, &case, 1).await), "CONFLICT_OF_INTEREST");
        let coordinator = house.person("coordinator-2", &[Role::Coordinator]).await;
        assert_eq!(reason(approve(&house, &coordinator, &case, 1).await), "ROLE_MISSING");
        let free = house.person_of("approver-6", &[Role::Approver], Some("org-015"), Some("XB")).await;
        assert_eq!(reason(approve(&house, &free, &case, 2).await), "DRAFT_CHANGED");
        let once = approve(&house, &free, &case, 1).await.unwrap();
        assert_eq!((once.approvals.len(), once.draft.unwrap().state.as_str()), (1, "approval_pending"));
        let twice = approve(&house, &free, &case, 1).await.unwrap();
        assert_eq!((twice.approvals.len(), twice.draft.unwrap().state.as_str()), (1, "approval_pending"));
        assert_eq!(house.release(&case).await.unwrap().refusals, ["approval: two approvers needed"]);
        let second = house.person("approver-7", &[Role::Approver]).await;
        let both = approve(&house, &second, &case, 1).await.unwrap();
        assert_eq!((both.approvals.len(), both.draft.unwrap().state.as_str()), (2, "approved"));
        house.stop().await;
    }
}

#[tokio::test]
async fn a_new_version_voids_the_approvals_of_the_old() {
    let house = House::start(Stored::sqlite()).await;
    let scenario = Scenario::workshop();
    let (case, _) = house.submit(&scenario.report()).await;
    house.walk_to_draft(&scenario, &case).await;
    house.approve(&case, 1).await;
    let coordinator = house.coordinator().await;
    let request = wire::DraftAlertRequest { case: case.clone(), draft: Some(scenario.draft()) };
    house.cases.clone().draft_alert(coordinator.asks(request)).await.unwrap();
    let refused = house.release(&case).await.unwrap();
    assert_eq!(
        refused.refusals,
        [
            "approval: approver-1 approved another version",
            "approval: approver-2 approved another version",
            "approval: two approvers needed"
        ]
    );
    let approver = house.person("approver-1", &[Role::Approver]).await;
    assert_eq!(reason(approve(&house, &approver, &case, 2).await), "STATE", "it was not submitted yet");
    house.approve(&case, 2).await;
    assert!(house.release(&case).await.unwrap().released);
    house.stop().await;
}

#[tokio::test]
async fn a_rejection_stands_in_the_way_until_a_new_version() {
    let house = House::start(Stored::sqlite()).await;
    let case = submitted(&house, &Scenario::workshop()).await;
    let approver = house.person("approver-1", &[Role::Approver]).await;
    approve(&house, &approver, &case, 1).await.unwrap();
    let other = house.person("approver-2", &[Role::Approver]).await;
    let mut request = wire::RejectAlertRequest { case: case.clone(), draft_version: 1, reason: String::new() };
    let wordless = house.cases.clone().reject_alert(other.asks(request.clone())).await;
    assert_eq!(reason(wordless), "REJECTION_INVALID");
    request.reason = "It names the hotel.".to_owned();
    let rejected = house.cases.clone().reject_alert(other.asks(request)).await.unwrap().into_inner();
    assert_eq!(rejected.draft.unwrap().state, "rejected");
    assert_eq!(rejected.approvals[1].reason, "It names the hotel.");
    let third = house.person("approver-3", &[Role::Approver]).await;
    assert_eq!(reason(approve(&house, &third, &case, 1).await), "STATE");
    let refused = house.release(&case).await.unwrap();
    assert_eq!(refused.refusals, ["approval: rejected by approver-2", "approval: two approvers needed"]);
    house.stop().await;
}

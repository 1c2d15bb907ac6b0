//! The gate: every refusal in its order, recorded, and what calls an alert back.

use chrono::TimeDelta;
use tocsin_domain::role::Role;
use tocsin_proto::catalogue::{ALERT_RELEASED, ALERT_WITHDRAWN, Service};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1 as event;
use tocsin_proto::triage::v1 as wire;
use tonic::Code;

use super::fixtures::Scenario;
use super::house::{House, Stored, reason};

#[tokio::test]
async fn every_refusal_is_listed_in_order_and_recorded() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let scenario = Scenario::workshop();
        let (case, _) = house.submit(&scenario.report()).await;
        house.walk_to_consents(&scenario, &case).await;
        // Nobody agreed to a public letter that names people, and everything else is wrong too.
        let mut draft = scenario.draft();
        draft.track = "public".to_owned();
        draft.identity_level = "full".to_owned();
        draft.texts.iter_mut().for_each(|text| text.translation = "human_draft".to_owned());
        draft.named_partners = vec!["org-300".to_owned()];
        let coordinator = house.coordinator().await;
        let request = wire::DraftAlertRequest { case: case.clone(), draft: Some(draft) };
        house.cases.clone().draft_alert(coordinator.asks(request)).await.unwrap();
        house.answers.audience(&[], &["org-300"]);
        let expected = [
            "consent: public_letter identity_level",
            "tlp: public",
            "text: en",
            "clearance: org-300",
            "audience: empty",
            "approval: two approvers needed",
        ];
        let refused = house.release(&case).await.unwrap();
        assert!(!refused.released);
        assert_eq!(refused.refusals, expected);
        assert!(refused.alert_id.is_empty() && refused.reference.is_empty());

        let previewed = wire::PreviewReleaseRequest { case: case.clone() };
        let preview = house.cases.clone().preview_release(coordinator.asks(previewed)).await.unwrap().into_inner();
        assert_eq!(preview.refusals, expected);
        assert_eq!((preview.contacts, preview.notices.len()), (2, 1));
        assert!(house.answers.asked_notices()[0].texts.is_empty(), "no text leaves for a preview above GREEN");

        let read = house.get(&case).await;
        let recorded = read.audit.iter().find(|entry| entry.action == "release_refused").unwrap();
        assert!(recorded.detail.contains("consent: public_letter identity_level; tlp: public"), "{}", recorded.detail);
        assert!(read.alerts.is_empty());
        assert!(house.heard.of::<event::AlertReleased>(&ALERT_RELEASED).is_empty());
        house.stop().await;
    }
}

#[tokio::test]
async fn consent_decides() {
    let house = House::start(Stored::sqlite()).await;
    let scenario = Scenario::dam();
    let later = Some(timestamp(house.clock.now() + TimeDelta::hours(1)));
    let earlier = Some(timestamp(house.clock.now() - TimeDelta::hours(1)));
    let limits = |organisations: &[&str], unchecked: &[&str]| {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Some(wire::ConsentLimits {
            organisations: texts(organisations),
            languages: vec![],
            unchecked: texts(unchecked),
        })
    };
    let mut consent = scenario.consents().remove(0);
    check_consent(&house, consent.clone(), None).await;
    consent.expires_at = earlier;
    check_consent(&house, consent.clone(), Some("consent: public_letter expired")).await;
    consent.expires_at = later;
    check_consent(&house, consent.clone(), None).await;
    consent.status = "granted_with_limits".to_owned();
    consent.limits = limits(&["org-001"], &[]);
    check_consent(&house, consent.clone(), Some("consent: public_letter limits")).await;
    consent.limits = limits(&["org-001", "org-002"], &[]);
    check_consent(&house, consent.clone(), None).await;
    consent.limits = limits(&["org-001", "org-002"], &["only after the hearing"]);
    check_consent(&house, consent.clone(), Some("consent: public_letter limits")).await;
    consent.limits = None;
    for (status, gap) in [("asked", "asked"), ("refused", "refused"), ("withdrawn", "withdrawn")] {
        consent.status = status.to_owned();
        check_consent(&house, consent.clone(), Some(&format!("consent: public_letter {gap}"))).await;
    }
    consent.status = "granted".to_owned();
    consent.audience = "embassies".to_owned();
    check_consent(&house, consent, Some("consent: public_letter audience")).await;
    house.stop().await;
}

/// A case with one consent for the public letter: released, or refused for this reason alone.
async fn check_consent(house: &House, consent: wire::ConsentRecord, expected: Option<&str>) {
    let scenario = Scenario::dam();
    let (case, _) = house.submit(&scenario.report()).await;
    let coordinator = house.coordinator().await;
    let verifier = house.person("verifier-1", &[Role::Verifier]).await;
    let mut cases = house.cases.clone();
    let request = wire::AcknowledgeCaseRequest { case: case.clone() };
    cases.acknowledge_case(coordinator.asks(request)).await.unwrap();
    let request = wire::RecordSourceRequest { case: case.clone(), source: Some(scenario.sources().remove(0)) };
    cases.record_source(verifier.asks(request)).await.unwrap();
    let request = wire::AssessCaseRequest {
        case: case.clone(),
        factors: Some(scenario.factors()),
        claim: "likely".to_owned(),
        ..wire::AssessCaseRequest::default()
    };
    cases.assess_case(coordinator.asks(request)).await.unwrap();
    house.consent(&case, consent).await;
    let request = wire::DraftAlertRequest { case: case.clone(), draft: Some(scenario.draft()) };
    cases.draft_alert(coordinator.asks(request)).await.unwrap();
    house.approve(&case, 1).await;
    let answer = house.release(&case).await.unwrap();
    assert_eq!(answer.refusals, expected.into_iter().collect::<Vec<_>>());
    assert_eq!(answer.released, expected.is_none());
}

#[tokio::test]
async fn a_withdrawn_consent_recalls_what_relied_on_it() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let scenario = Scenario::workshop();
        let (case, _) = house.submit(&scenario.report()).await;
        house.walk_to_draft(&scenario, &case).await;
        house.approve(&case, 1).await;
        let released = house.release(&case).await.unwrap();
        assert_eq!(reason(house.release(&case).await), "ALREADY_RELEASED");

        // A refusal for another purpose changes nothing; one for the purpose relied on calls back.
        let mut consent = scenario.consents().remove(0);
        consent.purpose = "media".to_owned();
        consent.status = "refused".to_owned();
        house.consent(&case, consent.clone()).await;
        assert_eq!(house.get(&case).await.alerts[0].state, "released");
        consent.purpose = "members_alert".to_owned();
        consent.status = "withdrawn".to_owned();
        consent.who = "family".to_owned();
        house.consent(&case, consent).await;

        let withdrawn = house.hears::<event::AlertWithdrawn>(&ALERT_WITHDRAWN, 1).await.remove(0);
        assert_eq!((withdrawn.alert_id, withdrawn.reason.as_str()), (released.alert_id, "consent_withdrawn"));
        let read = house.get(&case).await;
        assert_eq!(read.alerts[0].state, "withdrawn");
        assert_eq!(read.summary.unwrap().state, "consent_withdrawn");
        assert_eq!(read.draft.unwrap().state, "consent_withdrawn");
        assert_eq!(reason(house.release(&case).await), "STATE");
        house.stop().await;
    }
}

#[tokio::test]
async fn a_stopped_case_withdraws_its_alert_and_lets_nothing_more_out() {
    let house = House::start(Stored::sqlite()).await;
    let scenario = Scenario::dam();
    let (case, _) = house.submit(&scenario.report()).await;
    house.walk_to_draft(&scenario, &case).await;
    house.approve(&case, 1).await;
    let released = house.release(&case).await.unwrap();
    let approver = house.person("approver-3", &[Role::Approver]).await;
    let request = wire::StopCaseRequest { case: case.clone(), reason: "The community asks us to wait.".to_owned() };
    let stopped = house.cases.clone().stop_case(approver.asks(request.clone())).await.unwrap().into_inner();
    assert_eq!(stopped.alert_ids, [released.alert_id]);
    assert_eq!(stopped.summary.unwrap().state, "stopped");
    let withdrawn = house.hears::<event::AlertWithdrawn>(&ALERT_WITHDRAWN, 1).await.remove(0);
    assert_eq!(withdrawn.reason, "stopped");
    let again = house.cases.clone().stop_case(approver.asks(request)).await.unwrap().into_inner();
    assert!(again.alert_ids.is_empty());
    assert_eq!(reason(house.release(&case).await), "CASE_STOPPED");

    // Drafting anew opens it again, with approvals of its own.
    let coordinator = house.coordinator().await;
    let request = wire::DraftAlertRequest { case: case.clone(), draft: Some(scenario.draft()) };
    let draft = house.cases.clone().draft_alert(coordinator.asks(request)).await.unwrap().into_inner().draft.unwrap();
    assert_eq!(draft.version, 2);
    assert_eq!(house.release(&case).await.unwrap().refusals.last().unwrap(), "approval: two approvers needed");
    house.approve(&case, 2).await;
    assert_eq!(house.release(&case).await.unwrap().reference, "XE-2026-0002");
    house.stop().await;
}

#[tokio::test]
async fn without_dispatch_nothing_is_decided() {
    let house = House::start(Stored::sqlite()).await;
    let scenario = Scenario::dam();
    let (case, _) = house.submit(&scenario.report()).await;
    house.walk_to_draft(&scenario, &case).await;
    house.approve(&case, 1).await;
    house.answers.away(true);
    let refused = house.release(&case).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains(Service::Dispatch.as_str()), "{}", refused.message());
    assert!(house.get(&case).await.alerts.is_empty());
    house.answers.away(false);
    assert!(house.release(&case).await.unwrap().released);
    house.stop().await;
}

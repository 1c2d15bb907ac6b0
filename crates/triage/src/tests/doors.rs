//! The door: wrong fields named, unknown cases, states that come first, pages of the list, and settings that are wrong.

use tocsin_domain::role::Role;
use tocsin_platform::config::Settings;
use tocsin_platform::failure::received;
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::testing::wait_until;
use tocsin_proto::catalogue::{Lane, RESPONSE_RECORDED};
use tocsin_proto::event::v1 as event;
use tocsin_proto::triage::v1 as wire;
use tonic::Code;

use super::fixtures::Scenario;
use super::house::{House, LIMIT, Stored, reason};
use crate::config::TriageConfig;

#[tokio::test]
async fn every_wrong_field_of_a_draft_is_named() {
    let house = House::start(Stored::sqlite()).await;
    let coordinator = house.coordinator().await;
    let mut draft = Scenario::workshop().draft();
    draft.track = "membres".to_owned();
    draft.asks.push("sign".to_owned());
    draft.named_partners = vec!["Org 1".to_owned()];
    draft.texts[0].language = "EN".to_owned();
    draft.texts[1].translation = "done".to_owned();
    let request = wire::DraftAlertRequest { case: "XA-2026-0001".to_owned(), draft: Some(draft) };
    let refused = house.cases.clone().draft_alert(coordinator.asks(request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let refused = received(&refused);
    let fields: Vec<_> = refused.fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "draft.track",
            "draft.asks[2]",
            "draft.named_partners[0]",
            "draft.texts[0].language",
            "draft.texts[1].translation"
        ]
    );
    assert!(refused.fields[0].description.contains("members"), "{}", refused.fields[0].description);

    let mut draft = Scenario::workshop().draft();
    draft.texts[0].headline = "two\r\nlines".to_owned();
    draft.source_language = "qu".to_owned();
    let request = wire::DraftAlertRequest { case: "XA-2026-0001".to_owned(), draft: Some(draft) };
    let refused = received(&house.cases.clone().draft_alert(coordinator.asks(request)).await.unwrap_err());
    let fields: Vec<_> = refused.fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(fields, ["draft.texts.ar.headline"]);
    house.stop().await;
}

#[tokio::test]
async fn what_must_come_first_is_said() {
    let house = House::start(Stored::sqlite()).await;
    let scenario = Scenario::workshop();
    let (case, _) = house.submit(&scenario.report()).await;
    let coordinator = house.coordinator().await;
    let mut cases = house.cases.clone();
    let draft = wire::DraftAlertRequest { case: case.clone(), draft: Some(scenario.draft()) };
    let refused = cases.draft_alert(coordinator.asks(draft)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("possible now: acknowledge"), "{}", refused.message());
    let submit = wire::SubmitForApprovalRequest { case: case.clone() };
    assert_eq!(reason(cases.submit_for_approval(coordinator.asks(submit)).await), "NO_DRAFT");
    assert_eq!(reason(house.release(&case).await), "NO_DRAFT");

    for unknown in ["XA-2026-0009", "0197e1a0-0000-7000-8000-000000000000", "no such case"] {
        let request = wire::GetCaseRequest { case: unknown.to_owned() };
        assert_eq!(reason(cases.get_case(coordinator.asks(request)).await), "CASE_UNKNOWN");
    }
    let request = wire::GetCaseRequest { case: " ".to_owned() };
    assert_eq!(reason(cases.get_case(coordinator.asks(request)).await), "CASE_MISSING");
    assert_eq!(reason(cases.get_case(wire::GetCaseRequest { case }).await), "KEY_MISSING");
    house.stop().await;
}

#[tokio::test]
async fn sources_that_relay_one_another_count_once() {
    let house = House::start(Stored::sqlite()).await;
    let scenario = Scenario::dam();
    let (case, _) = house.submit(&scenario.report()).await;
    let coordinator = house.coordinator().await;
    let mut cases = house.cases.clone();
    cases.acknowledge_case(coordinator.asks(wire::AcknowledgeCaseRequest { case: case.clone() })).await.unwrap();
    let mut recorded = Vec::new();
    for mut source in scenario.sources() {
        if recorded.len() == 2 {
            source.relays_source_id = std::clone::Clone::clone(&recorded[0]);
        }
        let request = wire::RecordSourceRequest { case: case.clone(), source: Some(source) };
        let answer = cases.record_source(coordinator.asks(request)).await.unwrap().into_inner();
        assert!(answer.sources_sufficient);
        recorded.push(answer.source.unwrap().source_id);
        assert_eq!(answer.independent_sources as usize, recorded.len().min(2));
    }
    let mut source = scenario.sources().remove(0);
    source.relays_source_id = "nobody".to_owned();
    let request = wire::RecordSourceRequest { case, source: Some(source) };
    assert_eq!(reason(cases.record_source(coordinator.asks(request)).await), "SOURCE_INVALID");
    house.stop().await;
}

#[tokio::test]
async fn the_list_comes_in_pages() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let mut submitted = Vec::new();
        for _ in 0..3 {
            submitted.insert(0, house.submit(&Scenario::workshop().report()).await.0);
        }
        let duty = house.person("duty-1", &[Role::DutyOfficer]).await;
        let mut seen = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = wire::ListCasesRequest { page_size: 2, page_token, state: "received".to_owned() };
            let page = house.cases.clone().list_cases(duty.asks(request)).await.unwrap().into_inner();
            seen.extend(page.cases.into_iter().map(|case| case.report_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, submitted);
        let request = wire::ListCasesRequest { state: "open".to_owned(), ..wire::ListCasesRequest::default() };
        assert_eq!(reason(house.cases.clone().list_cases(duty.asks(request)).await), "STATE_UNKNOWN");
        house.stop().await;
    }
}

#[tokio::test]
async fn the_newest_response_of_an_organisation_counts() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let scenario = Scenario::workshop();
        let (case, _) = house.submit(&scenario.report()).await;
        house.walk_to_draft(&scenario, &case).await;
        house.approve(&case, 1).await;
        let alert_id = house.release(&case).await.unwrap().alert_id;
        for (version, response) in [(2, "signed"), (1, "acknowledged")] {
            let now = house.clock.now();
            let message = event::ResponseRecorded {
                alert_id: alert_id.clone(),
                organisation_id: "org-001".to_owned(),
                response: response.to_owned(),
                version,
                at: Some(tocsin_proto::convert::timestamp(now)),
            };
            let aggregate = format!("{alert_id}:org-001");
            let version = i64::from(version);
            let event = OutgoingEvent::new(&RESPONSE_RECORDED, Lane::Urgent, aggregate, version, &message, now);
            house.dispatch.say(event).await;
            wait_until("the response is there", LIMIT, async || !house.get(&case).await.responses.is_empty()).await;
        }
        let responses = house.get(&case).await.responses;
        assert_eq!((responses.len(), responses[0].response.as_str()), (1, "signed"));
        house.stop().await;
    }
}

#[test]
fn the_defaults_are_the_domain_s_and_wrong_settings_are_named() {
    let config = TriageConfig::read(&Settings::from_text("").unwrap()).unwrap();
    assert_eq!(config.clocks, tocsin_domain::priority::Clocks::default());
    assert_eq!(config.leads, tocsin_domain::adversary::Leads::default());
    assert_eq!(config.deadlines, tocsin_domain::alert::DeadlineHours::default());
    assert_eq!(config.weights, tocsin_domain::score::Weights::default());
    for (text, key) in [
        ("[triage]\nduty_roster = []", "triage.duty_roster"),
        ("[triage]\nkey_keep_hours = 167", "triage.key_keep_hours"),
        ("[triage]\nkey_rotation_hours = 0", "triage.key_rotation_hours"),
        ("[triage.clocks.p1]\nescalate_minutes = [25, 15]", "triage.clocks.p1.escalate_minutes"),
        ("[triage]\nkey_rotation_days = 1", "triage.key_rotation_days"),
    ] {
        let error = TriageConfig::read(&Settings::from_text(text).unwrap()).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

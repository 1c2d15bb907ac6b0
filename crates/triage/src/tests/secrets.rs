//! Nothing that a person typed lies readable in a database file or in an event.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use tocsin_domain::role::Role;
use tocsin_proto::common::v1 as common;
use tocsin_proto::intake::v1 as intake;
use tocsin_proto::triage::v1 as wire;

use super::fixtures::Scenario;
use super::house::{House, Stored};

/// Long enough that base64 at any offset holds most of it.
fn canary(place: &str) -> String {
    format!("canary-{place}-0123456789-sentinel-of-{place}")
}

const PLACES: [&str; 9] =
    ["narrative", "cover", "answer", "message", "changed", "consent", "addressee", "headline", "stop"];

async fn plant(house: &House) {
    let scenario = Scenario::dam();
    let mut report = scenario.report();
    report.narrative = canary("narrative");
    report.safe_contact = Some(intake::SafeContact { cover_text: canary("cover"), ..intake::SafeContact::default() });
    let (case, _) = house.submit(&report).await;
    let key = house.triage_key().await;
    house.say_message(case.parse().unwrap(), &canary("message"), &key).await;
    house.walk_to_consents(&scenario, &case).await;
    let coordinator = house.coordinator().await;
    let mut cases = house.cases.clone();
    let answer = wire::AnswerReporterRequest { case: case.clone(), text: canary("answer"), question: false };
    cases.answer_reporter(coordinator.asks(answer)).await.unwrap();
    let assess = wire::AssessCaseRequest {
        case: case.clone(),
        factors: Some(scenario.factors()),
        claim: "likely".to_owned(),
        changed_priority: "p2".to_owned(),
        changed_reason: canary("changed"),
        ..wire::AssessCaseRequest::default()
    };
    cases.assess_case(coordinator.asks(assess)).await.unwrap();
    let mut consent = scenario.consents().remove(0);
    consent.reason = canary("consent");
    house.consent(&case, consent).await;
    let mut draft = scenario.draft();
    draft.addressees = vec![common::Addressee { kind: "state".into(), name: canary("addressee"), reply_days: 1 }];
    draft.texts.iter_mut().for_each(|text| text.headline = canary("headline"));
    let request = wire::DraftAlertRequest { case: case.clone(), draft: Some(draft) };
    cases.draft_alert(coordinator.asks(request)).await.unwrap();
    house.approve(&case, 1).await;
    assert!(house.release(&case).await.unwrap().released);
    let request = wire::StopCaseRequest { case, reason: canary("stop") };
    cases.stop_case(coordinator.asks(request)).await.unwrap();
}

/// Raw, in hex, and in base64 at each of its three offsets.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut spellings = vec![bytes.to_vec(), hex::encode(bytes).into_bytes()];
    for offset in 0..3 {
        let shifted = bytes[offset..].to_vec();
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            spellings.push(encoded.as_bytes()[..encoded.len() - 4].to_vec());
        }
    }
    spellings
}

fn check(what: &str, content: &[u8], texts: &[String]) {
    for text in texts {
        for spelling in spellings(text) {
            let found = content.windows(spelling.len()).any(|window| window == spelling);
            assert!(!found, "{text} is readable in {what}");
        }
    }
}

fn check_files(folder: &Path, texts: &[String]) {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            check(&path.display().to_string(), &std::fs::read(&path).unwrap(), texts);
            files += 1;
        }
    }
    assert!(files > 0, "nothing was searched");
}

#[tokio::test]
async fn canaries_are_nowhere_in_clear() {
    let house = House::start(Stored::sqlite()).await;
    plant(&house).await;
    let mut texts: Vec<String> = PLACES.iter().map(|place| canary(place)).collect();
    // References name the country, and a name is somebody's.
    texts.extend(["XE-2026-0001".to_owned(), "Person coordinator-1".to_owned()]);
    let payloads = house.heard.payloads();
    assert!(payloads.len() > 5);
    for (event, payload) in payloads.iter().enumerate() {
        // The coordinator's name travels in clear, because notification hands failed notices to a person by name.
        check(&format!("event {event}"), payload, &texts[..texts.len() - 1]);
    }
    for (aggregate, _, _) in house.heard.envelopes() {
        assert!(!aggregate.contains("XE"), "{aggregate}");
    }
    let stored = house.stop().await;
    let database = stored.database.folder().unwrap();
    for file in ["triage.sqlite", "triage.sqlite-wal", "triage_keys.sqlite", "triage_keys.sqlite-wal"] {
        if let Ok(content) = std::fs::read(database.join(file)) {
            // Outgoing events wait in this file, so the coordinator's name does too.
            check(file, &content, &texts[..texts.len() - 1]);
        }
    }
    check_files(stored.folder.path(), &texts);
}

#[tokio::test]
async fn an_auditor_sees_what_was_done_and_nothing_that_was_typed() {
    let house = House::start(Stored::sqlite()).await;
    plant(&house).await;
    for (actor, role) in [("auditor-1", Role::Auditor), ("custodian-1", Role::IdentityCustodian)] {
        let person = house.person(actor, &[role]).await;
        let request = wire::GetCaseRequest { case: "XE-2026-0001".to_owned() };
        let case = house.cases.clone().get_case(person.asks(request)).await.unwrap().into_inner();
        assert!(case.report.is_none() && case.draft.is_none() && case.messages.is_empty());
        assert!(case.audit.iter().any(|entry| entry.action == "released" && entry.detail.contains("approver-2")));
        let seen = prost::Message::encode_to_vec(&case);
        let texts: Vec<String> = PLACES.iter().map(|place| canary(place)).collect();
        check("what an auditor sees", &seen, &texts);
    }
    for role in [Role::Operator, Role::Administrator, Role::SignatoryDelegate] {
        let person = house.person_of("somebody-1", &[role], Some("org-001"), None).await;
        let request = wire::GetCaseRequest { case: "XE-2026-0001".to_owned() };
        let refused = house.cases.clone().get_case(person.asks(request)).await;
        assert_eq!(super::house::reason(refused), "ROLE_MISSING");
    }
    house.stop().await;
}

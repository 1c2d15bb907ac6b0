//! Control characters in every text that could reach a header, a log line or a terminal.

use serde_json::json;
use tocsin_proto::common::v1::{Addressee, AlertText};
use tocsin_proto::dispatch::v1 as dispatch;
use tocsin_proto::notification::v1 as notification;
use tocsin_proto::triage::v1 as triage;
use tocsin_tests::Outcome;
use tocsin_tests::clients::bearing;
use tocsin_tests::program::fixture_json;
use tocsin_tests::scenario::Scenario;
use tocsin_tests::stage::Stage;
use tocsin_tests::trouble::{ensure, ensure_equal};

use super::{Attacker, ensure_invalid, set};

/// Characters that could end a header, a line or a string elsewhere.
const EVIL: [&str; 5] = ["\r", "\n", "\0", "\u{2028}", "\r\nBcc: somebody@elsewhere.example\r\n"];
#[tokio::test]
async fn no_control_character_reaches_a_header() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let good = attacker.good.clone();
    for evil in EVIL {
        for (pointer, field) in [
            ("/country", "country"),
            ("/place_type", "place_type"),
            ("/reporter/language", "reporter.language"),
            ("/reporter/organisation_id", "reporter.organisation_id"),
            ("/submitted_at", "submitted_at"),
            ("/kinds/0", "kinds[0]"),
            ("/safe_contact/allowed/0", "safe_contact.allowed[0]"),
            ("/safe_contact/code_word_safe", "safe_contact.code_word_safe"),
            ("/safe_contact/shared_with", "safe_contact.shared_with"),
            ("/safe_contact/proxy", "safe_contact.proxy"),
            ("/safe_contact/address", "safe_contact.address"),
            ("/safe_contact/language", "safe_contact.language"),
        ] {
            let answer = attacker.report(&set(&good, pointer, json!(format!("xa{evil}b")))).await?;
            ensure(answer.status == 400 && answer.fields.iter().any(|(named, _)| named == field), || {
                format!("{pointer} with {evil:?}: {} {}", answer.status, answer.body)
            })?;
        }
        let narrative = attacker.report(&set(&good, "/narrative", json!(format!("One line{evil}another")))).await?;
        let expected = if evil == "\n" { 201 } else { 400 };
        ensure_equal(narrative.status, expected, &format!("a narrative with {evil:?}"))?;
    }
    evil_keys_and_contacts(&attacker.stage).await?;
    evil_in_triage(&attacker).await?;
    attacker.survives().await
}

async fn evil_keys_and_contacts(stage: &Stage) -> Outcome<()> {
    let administrator = &stage.cast.administrator;
    for evil in EVIL {
        let dirty = |text: &str| format!("{text}{evil}x");
        for key in [
            triage::Key {
                actor_id: dirty("ana"),
                name: "Ana".into(),
                roles: vec!["coordinator".into()],
                ..Default::default()
            },
            triage::Key {
                actor_id: "ana".into(),
                name: dirty("Ana"),
                roles: vec!["coordinator".into()],
                ..Default::default()
            },
            triage::Key {
                actor_id: "ana".into(),
                name: "Ana".into(),
                roles: vec![dirty("coordinator")],
                ..Default::default()
            },
        ] {
            let request = bearing(administrator, triage::IssueKeyRequest { key: Some(key) })?;
            ensure_invalid(stage.clients.keys.clone().issue_key(request).await, &format!("a key with {evil:?}"))?;
        }
        let contact = stage.network.contacts()[0].clone();
        for (changed, what) in [
            (notification::Contact { email: dirty("a@org-001.example"), ..contact.clone() }, "e-mail"),
            (
                notification::Contact { email: format!("a{evil}@org-001.example"), ..contact.clone() },
                "e-mail in its middle",
            ),
            (notification::Contact { phone: dirty("+447700900001"), ..contact.clone() }, "phone"),
            (notification::Contact { webhook: dirty("https://hooks.org-001.example/"), ..contact.clone() }, "webhook"),
            (notification::Contact { webhook_secret: dirty("whsec_"), ..contact.clone() }, "webhook secret"),
            (notification::Contact { contact_id: dirty("c"), ..contact.clone() }, "contact id"),
            (notification::Contact { language: dirty("en"), ..contact.clone() }, "language"),
            (notification::Contact { time_zone: dirty("Etc/GMT+0"), ..contact.clone() }, "time zone"),
            (notification::Contact { channels: vec![dirty("email")], ..contact.clone() }, "channel"),
            (notification::Contact { quiet_hours: dirty("22:00-07:00"), ..contact.clone() }, "quiet hours"),
        ] {
            let request = bearing(administrator, notification::ImportContactsRequest { contacts: vec![changed] })?;
            ensure_invalid(
                stage.clients.contacts.clone().import_contacts(request).await,
                &format!("{what} with {evil:?}"),
            )?;
        }
        let organisation = stage.network.organisations()[0].clone();
        for (changed, what) in [
            (dispatch::Organisation { organisation_id: dirty("org"), ..organisation.clone() }, "organisation id"),
            (dispatch::Organisation { name: dirty("House"), ..organisation.clone() }, "organisation name"),
            (dispatch::Organisation { country: dirty("X"), ..organisation.clone() }, "country"),
            (
                dispatch::Organisation { contact_ids: vec![dirty("c")], ..organisation.clone() },
                "contact id of dispatch",
            ),
        ] {
            let request =
                bearing(administrator, dispatch::ImportOrganisationsRequest { organisations: vec![changed] })?;
            ensure_invalid(
                stage.clients.organisations.clone().import_organisations(request).await,
                &format!("{what} with {evil:?}"),
            )?;
        }
    }
    Ok(())
}

async fn evil_in_triage(attacker: &Attacker) -> Outcome<()> {
    let stage = &attacker.stage;
    let scenario = Scenario(fixture_json("scenarios/workshop-detention.json")?);
    let accepted = stage.submit(scenario.report()).await?;
    let office = stage.office(&accepted).await?;
    office.prepare(&scenario).await?;
    let (case, coordinator) = (office.case.clone(), &stage.cast.coordinator);
    let draft = scenario.draft();
    for evil in EVIL {
        let dirty = |text: &str| format!("{text}{evil}x");
        let with_text = |text: AlertText| triage::Draft { texts: vec![text], ..draft.clone() };
        let english = draft.texts.iter().find(|text| text.language == "en").cloned().unwrap_or_default();
        for (changed, what) in [
            (with_text(AlertText { headline: dirty("Ten"), ..english.clone() }), "headline"),
            (with_text(AlertText { language: dirty("en"), ..english.clone() }), "language"),
            (triage::Draft { track: dirty("members"), ..draft.clone() }, "track"),
            (triage::Draft { tlp: dirty("AMBER"), ..draft.clone() }, "tlp"),
            (triage::Draft { named_partners: vec![dirty("org")], ..draft.clone() }, "named partner"),
            (
                triage::Draft {
                    addressees: vec![Addressee { kind: "state".into(), name: dirty("A ministry"), reply_days: 3 }],
                    ..draft.clone()
                },
                "addressee",
            ),
        ] {
            let request = triage::DraftAlertRequest { case: case.clone(), draft: Some(changed) };
            let answer = stage.clients.cases.clone().draft_alert(bearing(coordinator, request)?).await;
            ensure_invalid(answer, &format!("{what} with {evil:?}"))?;
        }
        let mut consent = scenario.consents().remove(0);
        consent.who = dirty("affected_person");
        let request = triage::RecordConsentRequest { case: case.clone(), consent: Some(consent) };
        ensure_invalid(
            stage.clients.cases.clone().record_consent(bearing(coordinator, request)?).await,
            "who consents",
        )?;
        let request = triage::RecordSourceRequest {
            case: case.clone(),
            source: Some(triage::Source {
                link: dirty("lawyer"),
                reliability: "A".into(),
                information: "1".into(),
                ..Default::default()
            }),
        };
        ensure_invalid(
            stage.clients.cases.clone().record_source(bearing(coordinator, request)?).await,
            "a source's link",
        )?;
    }
    Ok(())
}

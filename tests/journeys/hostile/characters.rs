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
    for evil in EVIL {
        evil_keys(&attacker.stage, evil).await?;
        evil_contacts(&attacker.stage, evil).await?;
        evil_organisations(&attacker.stage, evil).await?;
    }
    evil_in_triage(&attacker).await?;
    attacker.survives().await
}

async fn evil_keys(stage: &Stage, evil: &str) -> Outcome<()> {
    let key = triage::Key {
        actor_id: "ana".into(),
        name: "Ana".into(),
        roles: vec!["coordinator".into()],
        ..Default::default()
    };
    for changed in [
        triage::Key { actor_id: format!("ana{evil}x"), ..key.clone() },
        triage::Key { name: format!("Ana{evil}x"), ..key.clone() },
        triage::Key { roles: vec![format!("coordinator{evil}x")], ..key.clone() },
        triage::Key { country: format!("X{evil}A"), ..key.clone() },
    ] {
        let request = bearing(&stage.cast.administrator, triage::IssueKeyRequest { key: Some(changed) })?;
        ensure_invalid(stage.clients.keys.clone().issue_key(request).await, &format!("a key with {evil:?}"))?;
    }
    Ok(())
}

async fn evil_contacts(stage: &Stage, evil: &str) -> Outcome<()> {
    let dirty = |text: &str| format!("{text}{evil}x");
    let good = stage.network.contacts()[0].clone();
    let mut changed = Vec::new();
    let mut with = |what: &'static str, change: &dyn Fn(&mut notification::Contact)| {
        let mut contact = good.clone();
        change(&mut contact);
        changed.push((what, contact));
    };
    with("e-mail", &|contact| contact.email = dirty("a@org-001.example"));
    with("e-mail in its middle", &|contact| contact.email = format!("a{evil}@org-001.example"));
    with("phone", &|contact| contact.phone = dirty("+447700900001"));
    with("webhook", &|contact| contact.webhook = dirty("https://hooks.org-001.example/"));
    with("webhook secret", &|contact| contact.webhook_secret = dirty("whsec_"));
    with("contact id", &|contact| contact.contact_id = dirty("c"));
    with("organisation id", &|contact| contact.organisation_id = dirty("org"));
    with("language", &|contact| contact.language = dirty("en"));
    with("time zone", &|contact| contact.time_zone = dirty("Etc/GMT+0"));
    with("channel", &|contact| contact.channels = vec![dirty("email")]);
    with("quiet hours", &|contact| contact.quiet_hours = dirty("22:00-07:00"));
    for (what, contact) in changed {
        let request = notification::ImportContactsRequest { contacts: vec![contact], only_new: false };
        let answer = stage.clients.contacts.clone().import_contacts(bearing(&stage.cast.administrator, request)?).await;
        ensure_invalid(answer, &format!("{what} with {evil:?}"))?;
    }
    Ok(())
}

async fn evil_organisations(stage: &Stage, evil: &str) -> Outcome<()> {
    let dirty = |text: &str| format!("{text}{evil}x");
    let good = stage.network.organisations()[0].clone();
    for (changed, what) in [
        (dispatch::Organisation { organisation_id: dirty("org"), ..good.clone() }, "organisation id"),
        (dispatch::Organisation { name: dirty("House"), ..good.clone() }, "organisation name"),
        (dispatch::Organisation { country: dirty("X"), ..good.clone() }, "country"),
        (dispatch::Organisation { contact_ids: vec![dirty("c")], ..good.clone() }, "contact id of dispatch"),
    ] {
        let request = dispatch::ImportOrganisationsRequest { organisations: vec![changed] };
        let request = bearing(&stage.cast.administrator, request)?;
        let answer = stage.clients.organisations.clone().import_organisations(request).await;
        ensure_invalid(answer, &format!("{what} with {evil:?}"))?;
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

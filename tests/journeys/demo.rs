//! `tocsin demo`: the scenarios of `fixtures/` meet what they expect, and many others meet a second opinion.

mod said;

use std::collections::BTreeSet;
use std::process::Stdio;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tempfile::TempDir;
use tocsin_tests::network::{list, texts};
use tocsin_tests::program::{binary, fixture_json};
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::{Outcome, Trouble};

use self::said::{run, started_at};
use crate::oracle;

/// Demo runs at the same time: more would only wait for the same two processors.
const RUNS_AT_ONCE: usize = 3;
/// A change of a scenario: JSON pointers and what stands there then.
pub(crate) struct Variant {
    name: String,
    base: &'static str,
    changes: Vec<(&'static str, Value)>,
    network: fn(Value) -> Value,
}

pub(crate) fn variant(name: &str, base: &'static str, changes: Vec<(&'static str, Value)>) -> Variant {
    Variant { name: name.to_owned(), base, changes, network: |network| network }
}

impl Variant {
    fn scenario(&self) -> Outcome<Value> {
        let mut scenario = fixture_json(&format!("scenarios/{}.json", self.base))?;
        for (pointer, value) in &self.changes {
            let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
            let parent = scenario.pointer_mut(parent).and_then(Value::as_object_mut);
            let parent = parent.ok_or_else(|| Trouble::new(format!("{}: nothing at {pointer}", self.name)))?;
            parent.insert(key.to_owned(), value.clone());
        }
        Ok(scenario)
    }

    async fn check(&self) -> Outcome<()> {
        let scenario = self.scenario()?;
        let network = (self.network)(fixture_json("network.json")?);
        let now = started_at(&scenario)?.to_utc() + TimeDelta::seconds(5);
        let expected = oracle::expect(&scenario, &network, now);
        run(&scenario, Some(&network), &[]).await?.check(&scenario, &expected)
    }
}

/// Runs variants a few at a time and tells of each that differs.
pub(crate) async fn check_all(variants: Vec<Variant>) -> Outcome<()> {
    use futures::StreamExt as _;
    let outcomes = futures::stream::iter(variants)
        .map(|variant| async move { variant.check().await.map_err(|trouble| trouble.during(&variant.name)) })
        .buffer_unordered(RUNS_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let troubles: Vec<_> =
        outcomes.into_iter().filter_map(Result::err).map(|trouble| trouble.text().to_owned()).collect();
    ensure(troubles.is_empty(), || troubles.join("\n"))
}

fn consent(purpose: &str, audience: &str, level: &str, status: &str) -> Value {
    json!({"who": "affected_person", "purpose": purpose, "audience": audience, "identity_level": level,
           "form": "written", "status": status})
}

fn with(mut record: Value, key: &str, value: Value) -> Value {
    record[key] = value;
    record
}

fn factors(
    gravity: u32,
    imminence: u32,
    vulnerability: u32,
    irreparability: u32,
    capacity: u32,
    threat: bool,
) -> Value {
    json!({"gravity": gravity, "imminence": imminence, "intent_and_means": 4, "specific_direct_threat": threat,
           "earlier_attack_on_person": false, "earlier_attack_on_colleagues": false, "rising_series": false,
           "vulnerability": vulnerability, "irreparability": irreparability, "capacity": capacity})
}

fn alert_text(headline: &str, translation: &str) -> Value {
    json!({"headline": headline, "body": format!("{headline}. Invented from beginning to end."), "translation": translation})
}

const MEMBERS: &str = "workshop-detention";
const PUBLIC: &str = "dam-eviction";
const SUPPORT: &str = "lawyer-harassment";

#[tokio::test]
async fn the_fixtures_meet_what_they_expect() -> Outcome<()> {
    for base in [MEMBERS, PUBLIC, SUPPORT] {
        let variant = variant(base, base, Vec::new());
        let scenario = variant.scenario()?;
        let network = fixture_json("network.json")?;
        let said = run(&scenario, None, &[]).await?;
        let now = started_at(&scenario)?.to_utc() + TimeDelta::seconds(5);
        said.check(&scenario, &oracle::expect(&scenario, &network, now)).map_err(|trouble| trouble.during(base))?;
        let expect = &scenario["expect"];
        ensure_equal(said.0["score"].clone(), scenario["assessment"]["expected_score"].clone(), "expected_score")?;
        ensure_equal(
            said.0["priority"].clone(),
            scenario["assessment"]["expected_priority"].clone(),
            "expected_priority",
        )?;
        for key in ["release_by", "independent_sources", "recipients"] {
            ensure(expect[key].is_null() || said.0[key] == expect[key], || {
                format!("{base}: {key} is {}", said.0[key])
            })?;
        }
        if !list(expect, "languages_released").is_empty() {
            let read: BTreeSet<_> = said.counts("/languages").into_keys().collect();
            ensure_equal(read, texts(expect, "languages_released").into_iter().collect(), "languages_released")?;
        }
        // Contacts who read Arabic count under the language that they are given instead.
        ensure(expect["language_fallback"].is_null() || !said.counts("/languages").contains_key("ar"), || {
            base.to_owned()
        })?;
    }
    Ok(())
}

#[tokio::test]
async fn what_consent_does_not_cover_is_refused() -> Outcome<()> {
    let members = |status: &str| vec![consent("members_alert", "all_members", "role_and_region", status)];
    let limited = |limits: Value| json!([with(members("granted_with_limits").remove(0), "limits", limits)]);
    let refusal = |name, consents: Value| variant(name, MEMBERS, vec![("/consent", consents)]);
    let lawyer = fixture_json("scenarios/lawyer-harassment.json")?;
    let as_members =
        [("/alert/track", json!("members")), ("/alert/tlp", json!("AMBER")), ("/alert/identity_level", json!("none"))];
    let expected = &lawyer["expect"]["a_members_track_release_is"];
    let scenario = variant("as members", SUPPORT, as_members.to_vec()).scenario()?;
    ensure_equal(run(&scenario, None, &[]).await?.0["refusal"].clone(), expected.clone(), "a members track release")?;
    check_all(vec![
        refusal("no consent at all", json!([])),
        refusal("asked", json!(members("asked"))),
        refusal("refused after a grant", json!([members("granted")[0], members("refused")[0]])),
        refusal("withdrawn after a grant", json!([members("granted")[0], members("withdrawn")[0]])),
        refusal(
            "another person refuses",
            json!([members("granted")[0], with(members("refused").remove(0), "who", json!("colleague")),]),
        ),
        refusal("not asked because unsafe", json!(members("not_asked_unsafe"))),
        refusal(
            "expired",
            json!([with(members("granted").remove(0), "expires_at", json!("2026-07-05T18:00:00+03:00"))]),
        ),
        refusal(
            "not yet expired",
            json!([with(members("granted").remove(0), "expires_at", json!("2026-07-06T18:00:00+03:00"))]),
        ),
        refusal("another audience", json!([consent("members_alert", "coordinators", "role_and_region", "granted")])),
        refusal("less of the identity", json!([consent("members_alert", "all_members", "group_only", "granted")])),
        refusal("unable without a reason", json!(members("unable_reason_given"))),
        refusal(
            "unable with a reason",
            json!([with(members("unable_reason_given").remove(0), "reason", json!("held without contact"))]),
        ),
        refusal("limits nobody can check", limited(json!({"newspapers": ["none"]}))),
        refusal("limited to languages that are released", limited(json!({"languages": ["en", "fr", "es", "pt"]}))),
        refusal("limited to one language", limited(json!({"languages": ["en"]}))),
        refusal("limited to one organisation", limited(json!({"organisations": ["org-001"]}))),
        refusal(
            "a grant by proxy for signatory members",
            json!([consent("members_alert", "signatory_members", "full", "proxy_granted")]),
        ),
    ])
    .await
}

#[tokio::test]
async fn members_and_the_public_are_reached_as_the_second_opinion_says() -> Outcome<()> {
    let low = ("/assessment/factors", factors(3, 2, 3, 3, 8, false));
    let medium = ("/assessment/factors", factors(9, 8, 9, 9, 2, false));
    let mut unheard = variant("contacts without e-mail at P1", MEMBERS, vec![]);
    unheard.network = without_some_mail;
    check_all(vec![
        unheard,
        variant("members at P3, an African country", MEMBERS, vec![medium.clone(), ("/report/country", json!("XD"))]),
        variant(
            "members at P4, an Asian country at night",
            MEMBERS,
            vec![
                low.clone(),
                ("/report/country", json!("XQ")),
                ("/report/submitted_at", json!("2026-02-28T23:37:00+05:00")),
                ("/alert/sign_on_hours", Value::Null),
                ("/report/adversary_date", Value::Null),
            ],
        ),
        variant(
            "members at AMBER+STRICT, housing, Europe",
            MEMBERS,
            vec![
                ("/alert/tlp", json!("AMBER+STRICT")),
                ("/report/country", json!("XT")),
                ("/report/groups", json!(["housing"])),
            ],
        ),
        variant("members at RED are refused", MEMBERS, vec![("/alert/tlp", json!("RED"))]),
        variant(
            "public at CLEAR, an override makes it P1",
            PUBLIC,
            vec![
                ("/alert/tlp", json!("CLEAR")),
                low,
                ("/assessment/overrides", json!(["missed_check_in"])),
                ("/report/country", json!("XW")),
            ],
        ),
        variant("public at AMBER is refused", PUBLIC, vec![("/alert/tlp", json!("AMBER"))]),
        variant(
            "members at P2",
            MEMBERS,
            vec![
                ("/assessment/factors", factors(12, 11, 14, 14, 2, false)),
                ("/report/adversary_date", Value::Null),
                ("/alert/sign_on_hours", Value::Null),
            ],
        ),
        variant(
            "a disappearance, nobody subscribed to",
            MEMBERS,
            vec![
                medium,
                ("/report/kinds", json!(["enforced_disappearance"])),
                ("/report/groups", json!(["srhr"])),
                ("/report/country", json!("XK")),
            ],
        ),
    ])
    .await
}

#[tokio::test]
async fn languages_are_those_of_the_second_opinion() -> Outcome<()> {
    let only_arabic =
        json!({"ar": alert_text("احتجاز عشرة أشخاص", "reviewed"), "en": alert_text("Ten held", "human_draft")});
    check_all(vec![
        variant(
            "Arabic is the source",
            MEMBERS,
            vec![
                ("/alert/source_language", json!("ar")),
                ("/alert/texts", only_arabic),
                ("/report/country", json!("XZ")),
            ],
        ),
        variant("the source text is not reviewed", MEMBERS, vec![("/alert/source_language", json!("ar"))]),
    ])
    .await
}

#[tokio::test]
async fn named_lists_reach_as_the_second_opinion_says() -> Outcome<()> {
    let named = |ids: &[&str]| ("/alert/named_partners", json!(ids));
    let mut deaf = variant("contacts without e-mail under RED", SUPPORT, vec![named(&["org-281", "org-310"])]);
    deaf.network = without_some_mail;
    check_all(vec![
        deaf,
        variant(
            "public at GREEN and P2 with a named list",
            PUBLIC,
            vec![
                ("/alert/tlp", json!("GREEN")),
                ("/assessment/factors", factors(12, 11, 14, 14, 2, false)),
                named(&["org-002", "org-290", "org-300"]),
            ],
        ),
        variant(
            "named partners without clearance and unknown",
            SUPPORT,
            vec![named(&["org-310", "org-001", "org-999"])],
        ),
        variant(
            "named partners at GREEN",
            SUPPORT,
            vec![("/alert/tlp", json!("GREEN")), named(&["org-281", "org-290", "org-310"])],
        ),
        variant("support to nobody", SUPPORT, vec![named(&[])]),
        variant(
            "a letter to a company in confidence",
            PUBLIC,
            vec![
                ("/alert/track", json!("confidential")),
                ("/alert/tlp", json!("AMBER")),
                ("/alert/addressees", json!([{"kind": "company", "name": "An invented company", "reply_days": 14}])),
                named(&["org-310", "org-058"]),
            ],
        ),
    ])
    .await
}

/// Takes e-mail from the contacts of some organisations, so that RED leaves them without any channel.
fn without_some_mail(mut network: Value) -> Value {
    let organisations = network["organisations"].as_array_mut().into_iter().flatten();
    for (index, organisation) in organisations.enumerate() {
        for contact in organisation["contacts"].as_array_mut().into_iter().flatten() {
            let channels = texts(contact, "channels");
            if (index % 5 == 0 || index == 309) && channels.iter().any(|channel| channel == "sms") {
                contact["channels"] =
                    json!(channels.into_iter().filter(|channel| channel != "email").collect::<Vec<_>>());
            }
        }
    }
    network
}

#[tokio::test]
async fn a_wrong_scenario_is_refused_before_anything_starts() -> Outcome<()> {
    let folder = TempDir::new()?;
    for (name, content) in
        [("none.json", None), ("broken.json", Some("{")), ("field.json", Some(r#"{"report": {"narative": "x"}}"#))]
    {
        let file = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&file, content)?;
        }
        let output = tokio::process::Command::new(binary()?)
            .args(["demo", "--exit", "--summary", "json", "--scenario"])
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .await?;
        ensure_equal(output.status.code(), Some(2), name)?;
        ensure(output.stdout.is_empty(), || format!("{name}: something on standard output"))?;
        ensure(String::from_utf8_lossy(&output.stderr).contains(name), || format!("{name} is not named"))?;
    }
    Ok(())
}

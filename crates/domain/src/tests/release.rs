//! The release gate on the three scenarios and on what each of its rules forbids.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::alert::{Draft, Track};
use crate::approval::{Approval, ApprovalQuestion, Approver, Decision, Delegation};
use crate::audience::Audience;
use crate::consent::ConsentRecord;
use crate::id::ActorId;
use crate::language::LanguageTag;
use crate::release::{ReleasePlan, ReleaseQuestion, decide};

const DAM: &str = include_str!("../../../../fixtures/scenarios/dam-eviction.json");
const LAWYER: &str = include_str!("../../../../fixtures/scenarios/lawyer-harassment.json");
const WORKSHOP: &str = include_str!("../../../../fixtures/scenarios/workshop-detention.json");

#[test]
fn the_scenarios_are_released() {
    for (scenario, languages, purpose) in [
        (DAM, vec!["en", "es", "fr"], "public_letter"),
        (LAWYER, vec!["fr"], "share_for_support"),
        (WORKSHOP, vec!["en", "es", "fr"], "members_alert"),
    ] {
        let plan = Case::of(scenario).decide().unwrap();
        assert_eq!(plan.languages.iter().map(LanguageTag::as_str).collect::<Vec<_>>(), languages);
        assert_eq!(plan.consents.iter().map(|relied| relied.purpose.as_str()).collect::<Vec<_>>(), [purpose]);
        assert_eq!(plan.approvers.iter().map(ActorId::as_str).collect::<Vec<_>>(), ["ada", "ben"]);
    }
}

#[test]
fn a_refused_track_names_the_purpose() {
    let mut case = Case::of(LAWYER);
    case.alert["track"] = "members".into();
    case.check(&["consent: members_alert refused", "tlp: members"]);
    case.alert["track"] = "public".into();
    case.check(&["consent: public_letter refused", "tlp: public"]);
}

#[test]
fn of_two_purposes_either_covers_and_one_is_named() {
    let mut case = Case::of(DAM);
    case.consent(json!([{"purpose": "media"}])).check(&[]);
    case.consent(json!([{"purpose": "media", "status": "asked"}])).check(&["consent: media asked"]);
    case.consent(json!([{"purpose": "media"}, {"purpose": "public_letter", "status": "refused"}])).check(&[]);
    case.consent(json!([])).check(&["consent: public_letter missing"]);
}

#[test]
fn a_confidential_letter_needs_consent_for_each_kind_of_addressee() {
    let mut case = Case::of(DAM);
    case.alert["track"] = "confidential".into();
    case.alert["named_partners"] = json!(["org-001"]);
    case.check(&["consent: letter_to_authority missing"]);
    case.consent(json!([
        {"purpose": "letter_to_authority", "audience": "addressee_state"},
        {"purpose": "letter_to_other_actor", "audience": "addressee_company"},
    ]));
    assert_eq!(case.decide().unwrap().consents.len(), 2);
    for (kind, expected) in [
        ("embassy", "consent: letter_to_authority audience"),
        ("un", "consent: letter_to_authority audience"),
        ("regional_body", "consent: letter_to_authority audience"),
    ] {
        case.alert["addressees"] = json!([{"kind": kind, "name": "Example"}]);
        case.check(&[expected]);
    }
    case.consent(json!([])).alert["addressees"] = json!([]);
    case.check(&["consent: letter_to_authority missing"]);
}

#[test]
fn the_label_must_go_with_the_track() {
    for (track, tlp, named, fits) in [
        (Track::Public, "CLEAR", false, true),
        (Track::Public, "GREEN", false, true),
        (Track::Public, "AMBER", false, false),
        (Track::Public, "RED", true, false),
        (Track::Members, "AMBER+STRICT", false, true),
        (Track::Members, "RED", true, false),
        (Track::Support, "RED", true, true),
        (Track::Support, "RED", false, false),
        (Track::Confidential, "AMBER+STRICT", false, true),
        (Track::Confidential, "RED", false, false),
    ] {
        let mut case = Case::of(WORKSHOP);
        case.alert["track"] = track.as_str().into();
        case.alert["tlp"] = tlp.into();
        case.alert["named_partners"] = if named { json!(["org-001"]) } else { json!([]) };
        let refused = case.refusals().contains(&format!("tlp: {track}"));
        assert_eq!(refused, !fits, "{track} {tlp} {named}");
    }
}

#[test]
fn every_refusal_is_listed_in_order() {
    let mut case = Case::of(WORKSHOP);
    case.alert["tlp"] = "RED".into();
    case.alert["texts"]["en"]["translation"] = "human_draft".into();
    case.consent(json!([]));
    case.audience.chosen.clear();
    case.audience.without_clearance = vec!["org-002".parse().unwrap(), "org-009".parse().unwrap()];
    case.approvals.clear();
    case.check(&[
        "consent: members_alert missing",
        "tlp: members",
        "text: en",
        "clearance: org-002",
        "clearance: org-009",
        "audience: empty",
        "approval: two approvers needed",
    ]);
}

#[test]
fn a_missing_source_text_is_refused() {
    let mut case = Case::of(WORKSHOP);
    case.alert["source_language"] = "pt".into();
    case.check(&["text: pt"]);
}

#[test]
fn two_free_people_must_approve_this_version() {
    let needed = "approval: two approvers needed";
    check_approvals(&["ada", "ben"], &[]);
    check_approvals(&["ada"], &[needed]);
    check_approvals(&["ada", "ada"], &[needed]);
    check_approvals(&["ada", "dora"], &["approval: dora drafted it", needed]);
    check_approvals(&["ada", "vera"], &["approval: vera verified it", needed]);
    check_approvals(&["ada", "colin"], &["approval: colin has a conflict of interest", needed]);
    check_approvals(&["ada", "nora"], &["approval: nora has a conflict of interest", needed]);
    check_approvals(&["ada", "xeno"], &["approval: xeno is not known as an approver", needed]);
    check_approvals(&["ada", "ben@1"], &["approval: ben approved another version", needed]);
    check_approvals(&["ada", "ben@1", "ben"], &[]);
    check_approvals(&["ada", "ben", "dora"], &[]);
    check_approvals(&["ada", "ben", "-carl"], &["approval: rejected by carl"]);
    check_approvals(&["ada", "ben", "-carl@1"], &[]);
    check_approvals(&["ada", "-ben", "ben"], &[]);
    check_approvals(&["ada", "ben", "-ben"], &["approval: rejected by ben", needed]);
    check_approvals(&["ada", "ben", "-ben@1"], &[]);
}

#[test]
fn a_delegated_approval_is_as_free_as_the_one_who_lent_it() {
    for (by, hours, expected) in [
        ("carl", 1, vec![]),
        ("ada", 1, vec!["approval: two approvers needed"]),
        ("dora", 1, vec!["approval: dora drafted it", "approval: two approvers needed"]),
        ("carl", 0, vec!["approval: the delegation to ben has expired", "approval: two approvers needed"]),
    ] {
        let mut case = Case::of(WORKSHOP);
        let expires_at = now() + TimeDelta::hours(hours);
        case.approvals[1].delegated = Some(Delegation { by: by.parse().unwrap(), expires_at });
        case.check(&expected);
    }
}

proptest! {
    #[test]
    fn no_set_of_approvals_releases_without_two_free_people(
        given in prop::collection::vec(
            prop::sample::select(vec!["ada", "ben", "carl", "dora", "vera", "colin", "ada@1", "ben@1", "-ada", "-carl"]),
            0..8,
        ),
    ) {
        let mut case = Case::of(WORKSHOP);
        case.approvals = given.iter().map(|row| approval(row)).collect();
        if case.decide().is_ok() {
            let free = ["ada", "ben", "carl"].iter().filter(|name| given.contains(name)).count();
            prop_assert!(free >= 2, "{:?}", given);
        }
    }
}

fn check_approvals(given: &[&str], expected: &[&str]) {
    let mut case = Case::of(WORKSHOP);
    case.approvals = given.iter().map(|row| approval(row)).collect();
    case.check(expected);
}

/// Reads "name", "-name" for a rejection, "name@version" for another version than 2.
fn approval(row: &str) -> Approval {
    let (decision, rest) = row.strip_prefix('-').map_or((Decision::Approve, row), |rest| (Decision::Reject, rest));
    let (name, version) = rest.split_once('@').unwrap_or((rest, "2"));
    let draft_version = version.parse().unwrap();
    Approval { approver: name.parse().unwrap(), decision, at: now(), draft_version, delegated: None }
}

/// A scenario at the gate: two free approvers, an audience of one.
struct Case {
    alert: Value,
    consents: Vec<ConsentRecord>,
    approvals: Vec<Approval>,
    audience: Audience,
}

impl Case {
    fn of(scenario: &str) -> Self {
        let mut scenario: Value = serde_json::from_str(scenario).unwrap();
        Self {
            alert: scenario["alert"].take(),
            consents: serde_json::from_value(scenario["consent"].take()).unwrap(),
            approvals: vec![approval("ada"), approval("ben")],
            audience: Audience { chosen: vec!["org-001".parse().unwrap()], ..Audience::default() },
        }
    }

    /// Replaces the consents; what a row leaves out is a full grant to the public.
    fn consent(&mut self, rows: Value) -> &mut Self {
        let rows: Vec<serde_json::Map<String, Value>> = serde_json::from_value(rows).unwrap();
        let full = json!({
            "who": "community", "audience": "public", "identity_level": "full", "form": "written", "status": "granted",
        });
        let record = |row: serde_json::Map<String, Value>| {
            let mut whole = full.clone();
            whole.as_object_mut().unwrap().extend(row);
            serde_json::from_value(whole).unwrap()
        };
        self.consents = rows.into_iter().map(record).collect();
        self
    }

    fn decide(&self) -> Result<ReleasePlan, Vec<String>> {
        let draft: Draft = serde_json::from_value(self.alert.clone()).unwrap();
        let drafter = "dora".parse().unwrap();
        let verifiers = ["vera".parse().unwrap()];
        let approvers = approvers();
        let concerned = ["org-014".parse().unwrap()];
        let question = ReleaseQuestion {
            draft: &draft,
            consents: &self.consents,
            approvals: &self.approvals,
            approval_question: ApprovalQuestion {
                draft_version: 2,
                drafter: &drafter,
                verifiers: &verifiers,
                approvers: &approvers,
                organisations_concerned: &concerned,
                country: "XA".parse().unwrap(),
            },
            audience: &self.audience,
        };
        decide(&question, now()).map_err(|refusals| refusals.iter().map(ToString::to_string).collect())
    }

    fn refusals(&self) -> Vec<String> {
        self.decide().err().unwrap_or_default()
    }

    fn check(&self, expected: &[&str]) {
        assert_eq!(self.refusals(), expected);
    }
}

/// Ada, Ben and Carl are free; Dora drafted, Vera verified, Colin is of the reporter's organisation, Nora of the country.
fn approvers() -> Vec<Approver> {
    ["ada", "ben", "carl", "dora", "vera", "colin", "nora"]
        .iter()
        .map(|name| Approver {
            actor: name.parse().unwrap(),
            organisation: (*name == "colin").then(|| "org-014".parse().unwrap()),
            conflict_countries: if *name == "nora" { vec!["XA".parse().unwrap()] } else { vec![] },
        })
        .collect()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap()
}

//! The forms of tables and pages, and what the client decides by itself. The services' answers are made by hand here;
//! real services are asked in the journeys of the whole house.

use std::collections::HashMap;

use prost_types::Timestamp;
use tocsin_proto::common::v1::{AlertText, Person};
use tocsin_proto::dispatch::v1::{
    Alert, ChannelCoverage, GetCoverageResponse, ListOrganisationsResponse, NoticeProgress, Organisation,
    OrganisationCoverage, Subscription, WatchAlertsResponse,
};
use tocsin_proto::triage::v1::{
    Approval, Assessment, CaseSummary, ConsentLimits, ConsentRecord, Contribution, Key, ListKeysResponse,
    ReleaseAlertResponse, Source,
};

use super::super::import::{Counts, counts_table, in_chunk, organisation_table};
use super::super::key::key_table;
use super::super::pages::{alert, case as pages_case, verdict};
use super::super::{case, coverage, watch};
use crate::arguments::case::FactorFlags;
use crate::exit::{Exit, Failed};

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds: 1_783_266_000 + seconds, nanos: 0 }
}

fn counts(pairs: &[(&str, u32)]) -> HashMap<String, u32> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[test]
fn the_table_of_cases() {
    let cases = [
        CaseSummary {
            reference: "XA-2026-0001".into(),
            state: "received".into(),
            priority: "p1".into(),
            received_at: Some(at(0)),
            escalates_at: Some(at(900)),
            ..CaseSummary::default()
        },
        CaseSummary {
            reference: "XE-2026-0002".into(),
            state: "released".into(),
            priority: "p2".into(),
            assessed: true,
            received_at: Some(at(0)),
            acknowledged_at: Some(at(60)),
            coordinator: Some(Person { actor_id: "ana".into(), name: "Ana\u{1b}[2J".into() }),
            ..CaseSummary::default()
        },
    ];
    insta::assert_snapshot!(pages_case::table(&cases).plain(), @r"
    case          state     priority          received              acknowledged          escalates             coordinator
    XA-2026-0001  received  p1 (provisional)  2026-07-05T15:40:00Z  -                     2026-07-05T15:55:00Z  -
    XE-2026-0002  released  p2                2026-07-05T15:40:00Z  2026-07-05T15:41:00Z  -                     Ana\u{1b}[2J
    ");
}

#[test]
fn the_tables_of_a_case() {
    let sources = [Source {
        source_id: "s-1".into(),
        link: "lawyer".into(),
        reliability: "A".into(),
        information: "1".into(),
        first_hand: true,
        recorded_by: "vera".into(),
        ..Source::default()
    }];
    let part = Contribution { name: "gravity".into(), points: 13, maximum: 15, explanation: "life or liberty".into() };
    let assessment = Assessment { contributions: vec![part], ..Assessment::default() };
    let limits = ConsentLimits {
        languages: vec!["es".into()],
        unchecked: vec!["no photographs".into()],
        ..ConsentLimits::default()
    };
    let consents = [ConsentRecord {
        who: "community".into(),
        purpose: "public_letter".into(),
        audience: "public".into(),
        identity_level: "group_only".into(),
        status: "granted_with_limits".into(),
        form: "community_assembly".into(),
        limits: Some(limits),
        version: 2,
        recorded_at: Some(at(0)),
        ..ConsentRecord::default()
    }];
    let approvals = [Approval {
        approver_id: "app-1".into(),
        decision: "approved".into(),
        draft_version: 3,
        at: Some(at(0)),
        ..Approval::default()
    }];
    let whole = [
        pages_case::sources(&sources).plain(),
        pages_case::contributions(&assessment).plain(),
        pages_case::consents(&consents).plain(),
        verdict::approval_table(&approvals).plain(),
    ]
    .join("\n\n");
    insta::assert_snapshot!(whole, @r"
    source  link    reliability  information  first hand  relays  recorded by
    s-1     lawyer  A            1            yes         -       vera

    contribution  points  at most  why
    gravity       13      15       life or liberty

    who        purpose        audience  identity    status               form                limits              expires  version  recorded
    community  public_letter  public    group_only  granted_with_limits  community_assembly  es, no photographs  -        2        2026-07-05T15:40:00Z

    approver  decision  draft version  at                    reason
    app-1     approved  3              2026-07-05T15:40:00Z  -
    ");
}

fn covered() -> GetCoverageResponse {
    GetCoverageResponse {
        organisations: vec![OrganisationCoverage {
            organisation_id: "org-001".into(),
            name: "Cedar Watch 001".into(),
            contacts: 3,
            state: "delivered".into(),
            handed_to: "Ana".into(),
            ..OrganisationCoverage::default()
        }],
        contacts: 3,
        contacts_planned: 3,
        channels: vec![ChannelCoverage {
            channel: "email".into(),
            by_state: counts(&[("delivered", 2), ("accepted", 1)]),
        }],
        by_state: counts(&[("delivered", 2), ("accepted", 1)]),
        notices: vec![NoticeProgress {
            contact_id: "org-001-c1".into(),
            organisation_id: "org-001".into(),
            channel: "email".into(),
            state: "delivered".into(),
            language: "en".into(),
            at: Some(at(2)),
            ..NoticeProgress::default()
        }],
        ..GetCoverageResponse::default()
    }
}

#[test]
fn the_tables_of_coverage() {
    let covered = covered();
    let whole = [alert::channels(&covered), alert::organisations(&covered), alert::notices(&covered)];
    insta::assert_snapshot!(whole.map(|table| table.plain()).join("\n\n"), @r"
    channel  notices  states
    email    3        accepted 1, delivered 2

    organisation  name             contacts  best state  response  responded  handed to
    org-001       Cedar Watch 001  3         delivered   -         -          Ana

    contact     organisation  channel  state      language  reason  at                    due  handed to
    org-001-c1  org-001       email    delivered  en        -       2026-07-05T15:40:02Z  -    -
    ");
}

#[test]
fn a_watch_of_coverage_ends_when_nothing_is_under_way() {
    assert!(coverage::is_settled(&covered()));
    assert!(!coverage::is_settled(&GetCoverageResponse { contacts: 4, ..covered() }));
    assert!(!coverage::is_settled(&GetCoverageResponse { by_state: counts(&[("queued", 1)]), ..covered() }));
}

#[test]
fn the_tables_of_the_network_and_of_keys() {
    let organisation = Organisation {
        organisation_id: "org-001".into(),
        name: "Cedar Watch 001".into(),
        country: "XY".into(),
        region: "mena".into(),
        kind: "signatory_member".into(),
        language: "en".into(),
        clearance: "AMBER".into(),
        subscription: Some(Subscription { minimum_priority: "p3".into(), ..Subscription::default() }),
        contact_ids: vec!["a".into(), "b".into()],
        ..Organisation::default()
    };
    let organisations = ListOrganisationsResponse { organisations: vec![organisation], ..Default::default() };
    let key = Key {
        key_id: "k-1".into(),
        actor_id: "ana".into(),
        name: "Ana".into(),
        roles: vec!["coordinator".into(), "verifier".into()],
        expires_at: Some(at(0)),
        ..Key::default()
    };
    let keys = ListKeysResponse { keys: vec![key], ..ListKeysResponse::default() };
    let counts = Counts { created: 320, changed: 0, unchanged: 0 };
    let whole = [
        organisation_table(&organisations).plain(),
        key_table(&keys).plain(),
        counts_table(Some(counts), Counts { created: 1, changed: 2, unchanged: 3 }).plain(),
    ]
    .join("\n\n");
    insta::assert_snapshot!(whole, @r"
    organisation  name             kind              country  region  language  clearance  from  contacts
    org-001       Cedar Watch 001  signatory_member  XY       mena    en        AMBER      p3    2

    key  actor  name  roles                 organisation  expires               revoked
    k-1  ana    Ana   coordinator,verifier  -             2026-07-05T15:40:00Z  -

    imported       created  changed  unchanged
    organisations  320      0        0
    contacts       1        2        3
    ");
}

fn an_alert() -> Alert {
    let text = |language: &str, headline: &str| AlertText {
        language: language.into(),
        headline: headline.into(),
        body: "Body".into(),
        translation: "reviewed".into(),
    };
    Alert {
        short_code: "A7F3-K2C".into(),
        state: "released".into(),
        priority: "p1".into(),
        tlp: "AMBER".into(),
        source_language: "en".into(),
        texts: vec![text("es", "Diez"), text("en", "Ten\nreleased  FORGED")],
        released_at: Some(at(0)),
        deadline: Some(at(3600)),
        drill: true,
        ..Alert::default()
    }
}

#[test]
fn alerts_in_a_table_and_in_the_feed() {
    insta::assert_snapshot!(alert::table(&[an_alert()]).plain(), @r"
    alert     state                priority  tlp    released              deadline              headline
    A7F3-K2C  released [EXERCISE]  p1        AMBER  2026-07-05T15:40:00Z  2026-07-05T16:40:00Z  Ten\nreleased  FORGED
    ");
    let entry = WatchAlertsResponse { cursor: "e-1".into(), change: "released".into(), alert: Some(an_alert()) };
    insta::assert_snapshot!(watch::line(&entry), @r"
    2026-07-05T15:40:00Z  released  A7F3-K2C  p1  TLP:AMBER  released [EXERCISE]  answer by 2026-07-05T16:40:00Z  Ten\nreleased  FORGED  (cursor e-1)
    ");
}

#[test]
fn a_refusal_of_the_gate_ends_with_its_own_exit_code() {
    let refusals = vec!["consent: members_alert missing".to_owned(), "approval: none".to_owned()];
    let refused = ReleaseAlertResponse { refusals, ..ReleaseAlertResponse::default() };
    let failed = case::refusal(&refused).unwrap_err();
    assert_eq!(failed.exit, Exit::Refused);
    assert_eq!(failed.message, "the gate refused the release: consent: members_alert missing");
    assert!(case::refusal(&ReleaseAlertResponse { released: true, ..ReleaseAlertResponse::default() }).is_ok());
}

#[test]
fn no_factors_at_all_are_a_mistake() {
    let none = || FactorFlags {
        gravity: None,
        imminence: None,
        intent_and_means: None,
        specific_direct_threat: false,
        earlier_attack_on_person: false,
        earlier_attack_on_colleagues: false,
        rising_series: false,
        vulnerability: None,
        irreparability: None,
        capacity: None,
    };
    assert_eq!(case::factors_of(&none()).unwrap_err().exit, Exit::Usage);
    let factors = case::factors_of(&FactorFlags { rising_series: true, capacity: Some(3), ..none() }).unwrap();
    assert_eq!((factors.rising_series, factors.capacity, factors.gravity), (true, 3, 0));
}

#[test]
fn a_fault_in_a_later_chunk_is_counted_from_the_start_of_the_file() {
    let mut failed = Failed::usage("one contact is wrong");
    failed.details.fields = vec![("contacts[1].email".into(), "is none".into()), ("other".into(), "stays".into())];
    let failed = in_chunk(failed, "contacts", 2, &["a", "b"]);
    assert_eq!(failed.details.fields[0].0, "contacts[401].email (b)");
    assert_eq!(failed.details.fields[1].0, "other");
}

//! Consent in tables: each row is a list of records, written short, and what the gate says of it.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::codes::{ConsentAudience, ConsentForm, ConsentPurpose, ConsentStatus, IdentityLevel};
use crate::consent::{ConsentGap, ConsentRecord, Limits, ReleaseScope, covers};
use crate::id::OrganisationId;
use crate::language::LanguageTag;

#[test]
fn a_record_covers_by_status_audience_level_and_time() {
    check(&[], "missing");
    check(&["person all_members full granted"], "0");
    check(&["person signatory_members role_and_region granted"], "0");
    check(&["person all_members role_and_region proxy_granted"], "0");
    check(&["person all_members group_only granted"], "identity_level");
    check(&["person all_members pseudonym granted"], "0");
    check(&["person public full granted"], "audience");
    check(&["person all_members full asked"], "asked");
    check(&["person all_members full expired"], "expired");
    check(&["person all_members full not_asked_unsafe"], "not_asked_unsafe");
    check(&["person all_members none not_asked_unsafe"], "not_asked_unsafe");
}

#[test]
fn anyones_refusal_or_withdrawal_defeats() {
    check(&["person all_members full granted", "relative all_members none refused"], "refused");
    check(&["person all_members full granted", "person public none refused"], "refused");
    check(&["person all_members full granted", "person public none withdrawn"], "withdrawn");
    check(&["person all_members full withdrawn", "relative all_members none refused"], "refused");
}

#[test]
fn the_last_record_of_one_who_purpose_and_audience_counts() {
    check(&["person all_members none refused", "person all_members full granted"], "1");
    check(&["person all_members full granted", "person all_members full withdrawn"], "withdrawn");
    check(&["person all_members full granted", "person all_members full asked"], "asked");
    check(&["person all_members full granted", "person all_members full granted"], "1");
}

#[test]
fn the_reason_is_of_the_record_that_came_furthest() {
    check(&["person all_members full asked", "relative all_members none granted"], "identity_level");
    check(&["person all_members full asked", "relative public full granted"], "asked");
    check(&["person public full granted", "relative embassies full asked"], "audience");
    check(&["person all_members full asked", "relative signatory_members full granted"], "1");
}

#[test]
fn a_record_expires_at_its_very_moment() {
    for (seconds, expected) in [(1, Ok(0)), (0, Err(ConsentGap::Expired)), (-1, Err(ConsentGap::Expired))] {
        let mut record = record("person all_members full granted");
        record.expires_at = Some(now() + TimeDelta::seconds(seconds));
        assert_eq!(ask(&[record]), expected, "{seconds}");
    }
}

#[test]
fn a_refusal_does_not_expire() {
    let mut refusal = record("person all_members none refused");
    refusal.expires_at = Some(now() - TimeDelta::days(1));
    assert_eq!(ask(&[record("relative all_members full granted"), refusal]), Err(ConsentGap::Refused));
}

#[test]
fn substituted_consent_needs_a_reason() {
    for (reason, expected) in
        [(None, Err(ConsentGap::Missing)), (Some(" "), Err(ConsentGap::Missing)), (Some("held incommunicado"), Ok(0))]
    {
        let mut record = record("person all_members full unable_reason_given");
        record.reason = reason.map(str::to_owned);
        assert_eq!(ask(&[record]), expected, "{reason:?}");
    }
}

#[test]
fn limits_must_permit_and_be_checkable() {
    let granted = Ok(0);
    let refused = Err(ConsentGap::Limits);
    check_limits(None, refused);
    check_limits(Some("{}"), refused);
    check_limits(Some(r#"{"organisations": ["org-1", "org-2", "org-3"]}"#), granted);
    check_limits(Some(r#"{"organisations": ["org-1"]}"#), refused);
    check_limits(Some(r#"{"languages": ["fr", "en"]}"#), granted);
    check_limits(Some(r#"{"languages": ["fr"]}"#), refused);
    check_limits(Some(r#"{"organisations": ["org-1", "org-2"], "languages": ["en"]}"#), granted);
    check_limits(Some(r#"{"organisations": [], "languages": ["en"]}"#), refused);
    check_limits(Some(r#"{"languages": ["en"], "not_the_brother": true}"#), refused);
    check_limits(Some(r#"{"languages": ["en"], "unchecked": ["only women"]}"#), refused);
}

#[test]
fn limits_survive_json() {
    let limits: Limits = serde_json::from_str(r#"{"languages": ["en"], "by": {"phone": [1]}}"#).unwrap();
    assert_eq!(limits.unchecked, ["by"]);
    let again: Limits = serde_json::from_str(&serde_json::to_string(&limits).unwrap()).unwrap();
    assert_eq!(again, limits);
}

proptest! {
    #[test]
    fn what_covers_is_never_a_refusal_nor_too_little(
        rows in prop::collection::vec(
            (
                prop::sample::select(vec!["person", "relative"]),
                prop::sample::select(ConsentAudience::ALL),
                prop::sample::select(IdentityLevel::ALL),
                prop::sample::select(ConsentStatus::ALL),
            ),
            0..8,
        ),
    ) {
        let records: Vec<_> = rows
            .iter()
            .map(|(who, audience, level, status)| record(&format!("{who} {audience} {level} {status}")))
            .collect();
        if let Ok(index) = ask(&records) {
            let relied = &records[index];
            prop_assert!(matches!(relied.status, ConsentStatus::Granted | ConsentStatus::ProxyGranted));
            prop_assert!(relied.identity_level >= IdentityLevel::RoleAndRegion);
            prop_assert!(AUDIENCES.contains(&relied.audience));
            let last = records.iter().rposition(|one| one.who == relied.who && one.audience == relied.audience);
            prop_assert_eq!(last, Some(index));
        }
        let mut refusing = records;
        refusing.push(record("lawyer public none refused"));
        prop_assert_eq!(ask(&refusing), Err(ConsentGap::Refused));
    }
}

const AUDIENCES: [ConsentAudience; 2] = [ConsentAudience::SignatoryMembers, ConsentAudience::AllMembers];

fn check(rows: &[&str], expected: &str) {
    let records: Vec<_> = rows.iter().map(|row| record(row)).collect();
    let answer = ask(&records).map_or_else(|gap| gap.to_string(), |index| index.to_string());
    assert_eq!(answer, expected, "{rows:?}");
}

fn check_limits(limits: Option<&str>, expected: Result<usize, ConsentGap>) {
    let mut record = record("person all_members full granted_with_limits");
    record.limits = limits.map(|json| serde_json::from_str(json).unwrap());
    assert_eq!(ask(&[record]), expected, "{limits:?}");
}

fn ask(records: &[ConsentRecord]) -> Result<usize, ConsentGap> {
    let organisations: Vec<OrganisationId> = ["org-1", "org-2"].iter().map(|id| id.parse().unwrap()).collect();
    let languages: Vec<LanguageTag> = vec!["en".parse().unwrap()];
    let scope = ReleaseScope { organisations: &organisations, languages: &languages };
    covers(records, ConsentPurpose::MembersAlert, &AUDIENCES, IdentityLevel::RoleAndRegion, &scope, now())
}

/// Reads a record of `members_alert` from "who audience level status".
fn record(row: &str) -> ConsentRecord {
    let [who, audience, level, status] = row.split(' ').collect::<Vec<_>>().try_into().unwrap();
    ConsentRecord {
        who: who.parse().unwrap(),
        purpose: ConsentPurpose::MembersAlert,
        audience: audience.parse().unwrap(),
        identity_level: level.parse().unwrap(),
        status: status.parse().unwrap(),
        form: ConsentForm::Written,
        limits: None,
        reason: None,
        expires_at: None,
        version: 1,
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap()
}

//! A report as somebody submitted it, and the limits of its form.

use serde::Deserialize;

use crate::adversary::AdversaryDate;
use crate::channel::QuietHours;
use crate::codes::{Actor, DefenderGroup, Degree, Kind, Phase, Relation, SubjectUnit, Support};
use crate::country::CountryCode;
use crate::id::OrganisationId;
use crate::language::LanguageTag;
use crate::sensitive::{ContactDetail, Narrative, Secret};
use crate::text::{CodeText, multi_line, single_line};
use crate::violation::{FieldViolation, check_list, check_text};

/// A report may hold this much text in all, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// A list of a report may hold this many entries.
pub const LIST_ENTRIES_MAX: usize = 50;
const LINE_CHARS_MAX: usize = 500;

/// Who reports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reporter {
    /// What the reporter is to the person under threat.
    pub relation: Relation,
    /// The reporter's organisation.
    #[serde(default)]
    pub organisation_id: Option<OrganisationId>,
    /// The language of the report and of our answers.
    pub language: LanguageTag,
}

/// Whom the threat is aimed at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// A person, a family, an organisation, a community or a group.
    pub unit: SubjectUnit,
    /// How many people, at least 1.
    #[serde(default = "one")]
    pub count: u32,
}

const fn one() -> u32 {
    1
}

/// An alleged actor and what it is alleged to have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllegedActor {
    /// Who.
    pub code: Actor,
    /// What it had to do with it.
    pub degree: Degree,
}

/// How the reporter can be reached without harm. A message that breaks a rule is suppressed and escalated, never sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SafeContact {
    /// Channels that may be used, such as `signal` or `email_pgp`.
    pub allowed: Vec<CodeText>,
    /// Channels that must not, such as `voice_call`.
    pub forbidden: Vec<CodeText>,
    /// When, in the time zone.
    pub hours: Option<QuietHours>,
    /// The name of the time zone, such as `Etc/GMT+5`.
    pub time_zone: Option<String>,
    /// The language to use.
    pub language: Option<LanguageTag>,
    /// Who else uses the telephone or reads the mailbox.
    pub shared_with: Option<ContactDetail>,
    /// A harmless text to send instead of anything that could be understood.
    pub cover_text: Option<ContactDetail>,
    /// The word that says "I am free to speak".
    pub code_word_safe: Option<Secret>,
    /// The word that says "I am being made to speak".
    pub code_word_duress: Option<Secret>,
    /// Someone who may be contacted instead.
    pub proxy: Option<ContactDetail>,
    /// Where the reporter can be reached: a number, an address or a name on a channel.
    pub address: Option<ContactDetail>,
    /// From this moment the rules must be asked for again (RFC 3339).
    pub expires_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// A report. It has no `Serialize`: it leaves memory only sealed, in its wire form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Who reports.
    pub reporter: Reporter,
    /// When the reporter says it was submitted. Kept as given; nothing is ever scheduled by it.
    #[serde(default)]
    pub submitted_at: Option<String>,
    /// Where.
    pub country: CountryCode,
    /// What sort of place, such as `hotel`.
    #[serde(default)]
    pub place_type: Option<CodeText>,
    /// Whom it is aimed at.
    pub subject: Subject,
    /// What happened or is threatened, at least one.
    pub kinds: Vec<Kind>,
    /// Who is alleged to be behind it.
    #[serde(default)]
    pub actors: Vec<AllegedActor>,
    /// Which groups of defenders are hit.
    #[serde(default)]
    pub groups: Vec<DefenderGroup>,
    /// Before, during or after.
    pub phase: Phase,
    /// What is asked of the network.
    #[serde(default)]
    pub support_asked: Vec<Support>,
    /// A date that the adversary has set.
    #[serde(default)]
    pub adversary_date: Option<AdversaryDate>,
    /// How to answer safely.
    #[serde(default)]
    pub safe_contact: SafeContact,
    /// What happened, in the reporter's words.
    pub narrative: Narrative,
}

impl Report {
    /// Every fault of the report's form, so that the reporter learns of all of them at once.
    pub fn violations(&self) -> Vec<FieldViolation> {
        let mut violations = Vec::new();
        self.check_lists(&mut violations);
        if self.kinds.is_empty() {
            violations.push(FieldViolation::new("kinds", "at least one is needed; unknown is a kind"));
        }
        if self.subject.count == 0 {
            violations.push(FieldViolation::new("subject.count", "at least 1"));
        }
        if let Some(at) = &self.submitted_at {
            check_text("submitted_at", at, 64, single_line, &mut violations);
        }
        self.safe_contact.check(&mut violations);
        let narrative = self.narrative.reveal();
        check_text("narrative", narrative, TEXT_BYTES_MAX, multi_line, &mut violations);
        if narrative.trim().is_empty() {
            violations.push(FieldViolation::new("narrative", "a few words are needed"));
        }
        if self.text_bytes() > TEXT_BYTES_MAX {
            violations.push(FieldViolation::new("report", format!("at most {TEXT_BYTES_MAX} bytes of text in all")));
        }
        violations
    }

    fn check_lists(&self, violations: &mut Vec<FieldViolation>) {
        check_list("kinds", &self.kinds, LIST_ENTRIES_MAX, violations);
        check_list("actors", &self.actors, LIST_ENTRIES_MAX, violations);
        check_list("groups", &self.groups, LIST_ENTRIES_MAX, violations);
        check_list("support_asked", &self.support_asked, LIST_ENTRIES_MAX, violations);
    }

    /// How many bytes of free text the report holds.
    fn text_bytes(&self) -> usize {
        let texts = self.safe_contact.lines();
        let lines: usize = texts.iter().filter_map(|(_, text)| text.map(str::len)).sum();
        lines + self.narrative.reveal().len() + self.submitted_at.as_deref().map_or(0, str::len)
    }
}

impl SafeContact {
    /// The free texts by the path of their field. Each is one line, since it may reach a message's header.
    fn lines(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("safe_contact.time_zone", self.time_zone.as_deref()),
            ("safe_contact.shared_with", self.shared_with.as_ref().map(ContactDetail::reveal)),
            ("safe_contact.cover_text", self.cover_text.as_ref().map(ContactDetail::reveal)),
            ("safe_contact.code_word_safe", self.code_word_safe.as_ref().map(Secret::reveal)),
            ("safe_contact.code_word_duress", self.code_word_duress.as_ref().map(Secret::reveal)),
            ("safe_contact.proxy", self.proxy.as_ref().map(ContactDetail::reveal)),
            ("safe_contact.address", self.address.as_ref().map(ContactDetail::reveal)),
        ]
    }

    fn check(&self, violations: &mut Vec<FieldViolation>) {
        check_list("safe_contact.allowed", &self.allowed, LIST_ENTRIES_MAX, violations);
        check_list("safe_contact.forbidden", &self.forbidden, LIST_ENTRIES_MAX, violations);
        for (field, text) in self.lines() {
            if let Some(text) = text {
                check_text(field, text, LINE_CHARS_MAX, single_line, violations);
            }
        }
        if self.time_zone.as_deref().is_some_and(|name| name.parse::<chrono_tz::Tz>().is_err()) {
            let expected = "not a known time zone; write a name such as Etc/GMT+5 or Europe/Berlin";
            violations.push(FieldViolation::new("safe_contact.time_zone", expected));
        }
        if self.code_word_safe.is_some() && self.code_word_safe == self.code_word_duress {
            let expected = "must differ from code_word_safe";
            violations.push(FieldViolation::new("safe_contact.code_word_duress", expected));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSHOP: &str = include_str!("../../../fixtures/scenarios/workshop-detention.json");

    #[test]
    fn the_scenarios_hold_reports_of_good_form() {
        for json in [
            WORKSHOP,
            include_str!("../../../fixtures/scenarios/dam-eviction.json"),
            include_str!("../../../fixtures/scenarios/lawyer-harassment.json"),
        ] {
            assert_eq!(report(json, |_| {}).unwrap().violations(), []);
        }
    }

    #[test]
    fn debug_shows_no_text_of_the_reporter() {
        let shown = format!("{:?}", report(WORKSHOP, |_| {}).unwrap());
        assert!(!shown.contains("workshop") && !shown.contains("olive"), "{shown}");
    }

    #[test]
    fn unknown_fields_and_codes_are_named() {
        let error = report(WORKSHOP, |report| report["safe_contact"]["phon"] = 1.into()).unwrap_err().to_string();
        assert!(error.contains("`phon`"), "{error}");
        let error = report(WORKSHOP, |report| report["kinds"][0] = "mass_arrest".into()).unwrap_err().to_string();
        assert!(error.contains("\"mass_arrest\" is not a code of kinds"), "{error}");
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let report = report(WORKSHOP, |report| {
            report["kinds"] = serde_json::json!([]);
            report["groups"] = serde_json::json!(vec!["lawyer"; 51]);
            report["subject"]["count"] = 0.into();
            report["submitted_at"] = "2026\r\n".into();
            report["narrative"] = "a\0".into();
            report["safe_contact"]["time_zone"] = "Mars/Olympus".into();
            report["safe_contact"]["cover_text"] = "Hello\nBcc: x@y.example".into();
            report["safe_contact"]["code_word_duress"] = "olive".into();
        });
        let violations = report.unwrap().violations();
        let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
        let expected = [
            "groups",
            "kinds",
            "subject.count",
            "submitted_at",
            "safe_contact.cover_text",
            "safe_contact.time_zone",
            "safe_contact.code_word_duress",
            "narrative",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn the_text_is_limited_in_bytes_in_all() {
        let of_size = |bytes: usize| {
            let arabic = "م".repeat(bytes / 2);
            report(WORKSHOP, |report| report["narrative"] = arabic.into()).unwrap().violations()
        };
        assert_eq!(of_size(TEXT_BYTES_MAX - 1_000), []);
        assert_eq!(of_size(TEXT_BYTES_MAX)[0].to_string(), "report: at most 65536 bytes of text in all");
    }

    fn report(json: &str, change: impl FnOnce(&mut serde_json::Value)) -> Result<Report, serde_json::Error> {
        let mut scenario: serde_json::Value = serde_json::from_str(json).unwrap();
        change(&mut scenario["report"]);
        serde_json::from_value(scenario["report"].take())
    }
}

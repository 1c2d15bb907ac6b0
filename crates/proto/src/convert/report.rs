//! The wire report becomes a domain report, or the list of everything that is wrong with it.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, Utc};
use tocsin_domain::adversary::{AdversaryDate, AdversaryDateKind};
use tocsin_domain::codes::{Actor, Degree, Kind, Phase, Relation, SubjectUnit};
use tocsin_domain::country::CountryCode;
use tocsin_domain::language::{Language, LanguageTag};
use tocsin_domain::report::{AllegedActor, LIST_ENTRIES_MAX, Report, Reporter, SafeContact, Subject};
use tocsin_domain::sensitive::{ContactDetail, Narrative, Secret};

use super::Violation;
use crate::intake::v1;

/// Reads a report from the wire.
///
/// Empty text and an absent message both mean "not said". A subject whose count is not said counts as one. The paths
/// of the violations are relative to the report: `kinds[1]`, `safe_contact.hours`.
pub fn report_from_wire(wire: &v1::Report) -> Result<Report, Vec<Violation>> {
    let mut reading = Reading { violations: Vec::new() };
    let Ok(somewhere) = CountryCode::from_str("XA") else { return Err(reading.violations) };
    // What cannot be read is stood in for, so that the rules of the domain still name what else is wrong.
    let report = Report {
        reporter: reading.reporter(wire.reporter.as_ref()),
        submitted_at: said(&wire.submitted_at).map(str::to_owned),
        country: reading.required("country", &wire.country, somewhere),
        place_type: reading.optional("place_type", &wire.place_type),
        subject: reading.subject(wire.subject.as_ref()),
        kinds: reading.codes("kinds", &wire.kinds, Some(&Kind::Unknown)),
        actors: reading.actors(&wire.actors),
        groups: reading.codes("groups", &wire.groups, None),
        phase: reading.required("phase", &wire.phase, Phase::During),
        support_asked: reading.codes("support_asked", &wire.support_asked, None),
        adversary_date: wire.adversary_date.as_ref().map(|date| reading.adversary_date(date)),
        safe_contact: wire.safe_contact.as_ref().map(|contact| reading.safe_contact(contact)).unwrap_or_default(),
        narrative: Narrative::new(wire.narrative.clone()),
    };
    for violation in report.violations() {
        reading.note(violation);
    }
    if reading.violations.is_empty() { Ok(report) } else { Err(reading.violations) }
}

/// The faults found so far.
struct Reading {
    violations: Vec<Violation>,
}

impl Reading {
    /// Notes a fault, unless one is already known of the same field.
    fn note(&mut self, violation: Violation) {
        if !self.violations.iter().any(|known| known.field == violation.field) {
            self.violations.push(violation);
        }
    }

    fn required<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str, stand_in: T) -> T {
        if text.is_empty() {
            self.note(Violation::new(field, "is required"));
            return stand_in;
        }
        self.parsed(field, text).unwrap_or(stand_in)
    }

    fn optional<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        said(text).and_then(|text| self.parsed(field, text))
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        text.parse().map_err(|error: T::Err| self.note(Violation::new(field, error.to_string()))).ok()
    }

    fn moment(&mut self, field: &str, text: &str) -> Option<DateTime<FixedOffset>> {
        let moment = DateTime::parse_from_rfc3339(text);
        if moment.is_err() {
            let expected = "must be a date and time with an offset (RFC 3339), such as 2026-07-12T09:00:00+03:00";
            self.note(Violation::new(field, expected));
        }
        moment.ok()
    }

    /// A list of codes. Only as many as a list may hold are read, because refusing an unknown one costs a search for
    /// its nearest.
    fn codes<T: FromStr<Err: Display> + Clone>(
        &mut self,
        field: &str,
        codes: &[String],
        stand_in: Option<&T>,
    ) -> Vec<T> {
        self.limit(field, codes.len());
        codes
            .iter()
            .take(LIST_ENTRIES_MAX)
            .enumerate()
            .filter_map(|(index, code)| self.parsed(&format!("{field}[{index}]"), code).or_else(|| stand_in.cloned()))
            .collect()
    }

    fn limit(&mut self, field: &str, entries: usize) {
        if entries > LIST_ENTRIES_MAX {
            self.note(Violation::new(field, format!("at most {LIST_ENTRIES_MAX} entries are allowed")));
        }
    }

    fn reporter(&mut self, wire: Option<&v1::Reporter>) -> Reporter {
        let stand_in = (Relation::Other, LanguageTag::from(Language::En));
        let Some(wire) = wire else {
            self.note(Violation::new("reporter", "is required, with relation and language"));
            return Reporter { relation: stand_in.0, organisation_id: None, language: stand_in.1 };
        };
        Reporter {
            relation: self.required("reporter.relation", &wire.relation, stand_in.0),
            organisation_id: self.optional("reporter.organisation_id", &wire.organisation_id),
            language: self.required("reporter.language", &wire.language, stand_in.1),
        }
    }

    fn subject(&mut self, wire: Option<&v1::Subject>) -> Subject {
        let Some(wire) = wire else {
            self.note(Violation::new("subject", "is required, with unit"));
            return Subject { unit: SubjectUnit::Individual, count: 1 };
        };
        Subject { unit: self.required("subject.unit", &wire.unit, SubjectUnit::Individual), count: wire.count.max(1) }
    }

    fn actors(&mut self, wire: &[v1::ReportedActor]) -> Vec<AllegedActor> {
        self.limit("actors", wire.len());
        wire.iter()
            .take(LIST_ENTRIES_MAX)
            .enumerate()
            .map(|(index, actor)| AllegedActor {
                code: self.required(&format!("actors[{index}].code"), &actor.code, Actor::Unknown),
                degree: self.required(&format!("actors[{index}].degree"), &actor.degree, Degree::Suspected),
            })
            .collect()
    }

    fn adversary_date(&mut self, wire: &v1::AdversaryDate) -> AdversaryDate {
        AdversaryDate {
            kind: self.required("adversary_date.kind", &wire.kind, AdversaryDateKind::Hearing),
            at: self
                .moment("adversary_date.at", &wire.at)
                .unwrap_or_else(|| DateTime::<Utc>::UNIX_EPOCH.fixed_offset()),
        }
    }

    fn safe_contact(&mut self, wire: &v1::SafeContact) -> SafeContact {
        SafeContact {
            allowed: self.codes("safe_contact.allowed", &wire.allowed, None),
            forbidden: self.codes("safe_contact.forbidden", &wire.forbidden, None),
            hours: self.optional("safe_contact.hours", &wire.hours),
            time_zone: said(&wire.time_zone).map(str::to_owned),
            language: self.optional("safe_contact.language", &wire.language),
            shared_with: detail(&wire.shared_with),
            cover_text: detail(&wire.cover_text),
            code_word_safe: secret(&wire.code_word_safe),
            code_word_duress: secret(&wire.code_word_duress),
            proxy: detail(&wire.proxy),
            address: detail(&wire.address),
            expires_at: said(&wire.expires_at)
                .and_then(|text| self.moment("safe_contact.expires_at", text))
                .map(|moment| moment.to_utc()),
        }
    }
}

fn said(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn detail(text: &str) -> Option<ContactDetail> {
    said(text).map(|text| ContactDetail::new(text.to_owned()))
}

fn secret(text: &str) -> Option<Secret> {
    said(text).map(|text| Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_good_report_is_read() {
        let report = report_from_wire(&good()).unwrap();
        assert_eq!(report.kinds, [Kind::MassRoundup]);
        assert_eq!(report.subject.count, 1);
        assert_eq!(report.adversary_date.unwrap().at.to_rfc3339(), "2026-07-12T09:00:00+03:00");
        assert_eq!(report.submitted_at, None);
        assert_eq!(report.narrative.reveal(), "Ten people were taken.");
    }

    #[test]
    fn every_wrong_field_is_named_once() {
        let wire = v1::Report {
            reporter: Some(v1::Reporter {
                relation: "friend".into(),
                organisation_id: "Org 1".into(),
                ..Default::default()
            }),
            country: "xa".into(),
            subject: None,
            kinds: vec!["mass_roundup".into(), "robbery".into()],
            actors: vec![v1::ReportedActor::default()],
            adversary_date: Some(v1::AdversaryDate { kind: "hearing".into(), at: "tomorrow".into() }),
            safe_contact: Some(v1::SafeContact {
                hours: "always".into(),
                address: "a\r\nb".into(),
                ..Default::default()
            }),
            narrative: "\n".into(),
            ..good()
        };
        let fields: Vec<_> =
            report_from_wire(&wire).unwrap_err().into_iter().map(|violation| violation.field).collect();
        let expected = [
            "reporter.relation",
            "reporter.organisation_id",
            "reporter.language",
            "country",
            "subject",
            "kinds[1]",
            "actors[0].code",
            "actors[0].degree",
            "adversary_date.at",
            "safe_contact.hours",
            "safe_contact.address",
            "narrative",
        ];
        assert_eq!(fields, expected);
    }

    proptest! {
        // Each unknown code is compared with all known ones, which takes its time in a debug build.
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_text_is_read_or_refused_without_being_repeated(text in ".*", lists in proptest::collection::vec(".{0,80}", 0..8)) {
            let words = format!("canary {text}");
            let wire = v1::Report {
                kinds: lists.clone(),
                groups: lists,
                country: text.clone(),
                submitted_at: text.clone(),
                safe_contact: Some(v1::SafeContact {
                    hours: text.clone(),
                    time_zone: text,
                    address: words.clone(),
                    cover_text: words.clone(),
                    ..Default::default()
                }),
                narrative: words,
                ..good()
            };
            for violation in report_from_wire(&wire).err().into_iter().flatten() {
                prop_assert!(!violation.to_string().contains("canary"));
                prop_assert!(violation.description.len() < 2_000);
            }
        }
    }

    fn good() -> v1::Report {
        v1::Report {
            reporter: Some(v1::Reporter { relation: "colleague".into(), language: "en".into(), ..Default::default() }),
            country: "XA".into(),
            subject: Some(v1::Subject { unit: "individual".into(), count: 0 }),
            kinds: vec!["mass_roundup".into()],
            phase: "during".into(),
            adversary_date: Some(v1::AdversaryDate { kind: "hearing".into(), at: "2026-07-12T09:00:00+03:00".into() }),
            narrative: "Ten people were taken.".into(),
            ..Default::default()
        }
    }
}

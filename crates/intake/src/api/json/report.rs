//! The body of `POST /v1/reports`: the fields of a report as people send them, read into the wire report.

use serde_json::Value;
use tocsin_platform::failure::FieldViolation;
use tocsin_proto::intake::v1;

use super::reader::{Object, Reader};

const REPORT: &[&str] = &[
    "reporter",
    "submitted_at",
    "country",
    "place_type",
    "subject",
    "kinds",
    "actors",
    "groups",
    "phase",
    "support_asked",
    "adversary_date",
    "safe_contact",
    "narrative",
];
const REPORTER: &[&str] = &["relation", "organisation_id", "language"];
const SUBJECT: &[&str] = &["unit", "count"];
const ACTOR: &[&str] = &["code", "degree"];
const ADVERSARY_DATE: &[&str] = &["kind", "at"];
const SAFE_CONTACT: &[&str] = &[
    "allowed",
    "forbidden",
    "hours",
    "time_zone",
    "language",
    "cover_text",
    "code_word_safe",
    "code_word_duress",
    "shared_with",
    "proxy",
    "expires_at",
    "address",
];

/// The report as far as it could be read, and every field whose shape is wrong. Whether the values make sense is not
/// decided here.
pub(super) fn read(body: &Value) -> (v1::Report, Vec<FieldViolation>) {
    let mut reader = Reader::default();
    let object = reader.body(body, REPORT);
    let report = v1::Report {
        reporter: reporter(&mut reader, &object),
        submitted_at: reader.text(&object, "submitted_at"),
        country: reader.text(&object, "country"),
        place_type: reader.text(&object, "place_type"),
        subject: subject(&mut reader, &object),
        kinds: reader.texts(&object, "kinds"),
        actors: actors(&mut reader, &object),
        groups: reader.texts(&object, "groups"),
        phase: reader.text(&object, "phase"),
        support_asked: reader.texts(&object, "support_asked"),
        adversary_date: adversary_date(&mut reader, &object),
        safe_contact: safe_contact(&mut reader, &object),
        narrative: reader.text(&object, "narrative"),
    };
    (report, reader.into_violations())
}

fn reporter(reader: &mut Reader, report: &Object<'_>) -> Option<v1::Reporter> {
    let object = reader.object(report, "reporter", REPORTER);
    let reporter = v1::Reporter {
        relation: reader.text(&object, "relation"),
        organisation_id: reader.text(&object, "organisation_id"),
        language: reader.text(&object, "language"),
    };
    object.is_present().then_some(reporter)
}

fn subject(reader: &mut Reader, report: &Object<'_>) -> Option<v1::Subject> {
    let object = reader.object(report, "subject", SUBJECT);
    let subject = v1::Subject { unit: reader.text(&object, "unit"), count: reader.count(&object, "count") };
    object.is_present().then_some(subject)
}

fn actors(reader: &mut Reader, report: &Object<'_>) -> Vec<v1::ReportedActor> {
    let objects = reader.objects(report, "actors", ACTOR);
    objects
        .iter()
        .map(|object| v1::ReportedActor { code: reader.text(object, "code"), degree: reader.text(object, "degree") })
        .collect()
}

fn adversary_date(reader: &mut Reader, report: &Object<'_>) -> Option<v1::AdversaryDate> {
    let object = reader.object(report, "adversary_date", ADVERSARY_DATE);
    let date = v1::AdversaryDate { kind: reader.text(&object, "kind"), at: reader.text(&object, "at") };
    object.is_present().then_some(date)
}

fn safe_contact(reader: &mut Reader, report: &Object<'_>) -> Option<v1::SafeContact> {
    let object = reader.object(report, "safe_contact", SAFE_CONTACT);
    let contact = v1::SafeContact {
        allowed: reader.texts(&object, "allowed"),
        forbidden: reader.texts(&object, "forbidden"),
        hours: reader.text(&object, "hours"),
        time_zone: reader.text(&object, "time_zone"),
        language: reader.text(&object, "language"),
        cover_text: reader.text(&object, "cover_text"),
        code_word_safe: reader.text(&object, "code_word_safe"),
        code_word_duress: reader.text(&object, "code_word_duress"),
        shared_with: reader.text(&object, "shared_with"),
        proxy: reader.text(&object, "proxy"),
        expires_at: reader.text(&object, "expires_at"),
        address: reader.text(&object, "address"),
    };
    object.is_present().then_some(contact)
}

/// The fields that each object may have, by the name of its schema.
#[cfg(test)]
pub(crate) fn known_fields() -> [(&'static str, &'static [&'static str]); 6] {
    [
        ("Report", REPORT),
        ("Reporter", REPORTER),
        ("Subject", SUBJECT),
        ("ReportedActor", ACTOR),
        ("AdversaryDate", ADVERSARY_DATE),
        ("SafeContact", SAFE_CONTACT),
    ]
}

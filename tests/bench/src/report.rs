//! A scenario's report, as JSON and as gRPC carry it.

use serde_json::Value;
use tocsin_proto::intake::v1::{Report, ReportedActor, Reporter, SafeContact, Subject};
use tocsin_tests::network::{list, text, texts};
use tocsin_tests::program::fixture_json;

/// The report that every scenario submits, as JSON.
pub(crate) fn fixture() -> anyhow::Result<Value> {
    let scenario = fixture_json("scenarios/workshop-detention.json");
    let mut scenario = scenario.map_err(|trouble| anyhow::anyhow!("{}", trouble.text()))?;
    Ok(scenario["report"].take())
}

/// The same report as the body of `POST /v1/reports`.
pub(crate) fn message(report: &Value) -> Report {
    let (reporter, subject, contact) = (&report["reporter"], &report["subject"], &report["safe_contact"]);
    Report {
        reporter: Some(Reporter {
            relation: text(reporter, "relation"),
            organisation_id: text(reporter, "organisation_id"),
            language: text(reporter, "language"),
        }),
        submitted_at: text(report, "submitted_at"),
        country: text(report, "country"),
        place_type: text(report, "place_type"),
        subject: Some(Subject {
            unit: text(subject, "unit"),
            count: subject["count"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
        }),
        kinds: texts(report, "kinds"),
        actors: list(report, "actors")
            .iter()
            .map(|actor| ReportedActor { code: text(actor, "code"), degree: text(actor, "degree") })
            .collect(),
        groups: texts(report, "groups"),
        phase: text(report, "phase"),
        support_asked: texts(report, "support_asked"),
        adversary_date: None,
        safe_contact: Some(SafeContact {
            allowed: texts(contact, "allowed"),
            forbidden: texts(contact, "forbidden"),
            hours: text(contact, "hours"),
            time_zone: text(contact, "time_zone"),
            code_word_safe: text(contact, "code_word_safe"),
            ..SafeContact::default()
        }),
        narrative: text(report, "narrative"),
    }
}

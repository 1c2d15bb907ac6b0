//! The JSON form of a report (the body of `POST /v1/reports`) as the message that gRPC carries. Unknown fields are
//! refused by name, as the JSON door does: a field that nobody reads could be the one that mattered.

use serde::{Deserialize, Serialize};
use tocsin_proto::intake::v1 as intake;

use super::fields::or_default;
use super::{FileError, Text};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    #[serde(default)]
    reporter: Option<Reporter>,
    #[serde(default, deserialize_with = "or_default")]
    submitted_at: String,
    #[serde(default, deserialize_with = "or_default")]
    country: String,
    #[serde(default, deserialize_with = "or_default")]
    place_type: String,
    #[serde(default)]
    subject: Option<Subject>,
    #[serde(default, deserialize_with = "or_default")]
    kinds: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    actors: Vec<Actor>,
    #[serde(default, deserialize_with = "or_default")]
    groups: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    phase: String,
    #[serde(default, deserialize_with = "or_default")]
    support_asked: Vec<String>,
    #[serde(default)]
    adversary_date: Option<AdversaryDate>,
    #[serde(default)]
    safe_contact: Option<SafeContact>,
    #[serde(default, deserialize_with = "or_default")]
    narrative: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reporter {
    #[serde(default, deserialize_with = "or_default")]
    relation: String,
    #[serde(default, deserialize_with = "or_default")]
    organisation_id: String,
    #[serde(default, deserialize_with = "or_default")]
    language: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    #[serde(default, deserialize_with = "or_default")]
    unit: String,
    #[serde(default, deserialize_with = "or_default")]
    count: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Actor {
    #[serde(default, deserialize_with = "or_default")]
    code: String,
    #[serde(default, deserialize_with = "or_default")]
    degree: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AdversaryDate {
    #[serde(default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    at: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SafeContact {
    #[serde(default, deserialize_with = "or_default")]
    allowed: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    forbidden: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    hours: String,
    #[serde(default, deserialize_with = "or_default")]
    time_zone: String,
    #[serde(default, deserialize_with = "or_default")]
    language: String,
    #[serde(default, deserialize_with = "or_default")]
    cover_text: String,
    #[serde(default, deserialize_with = "or_default")]
    code_word_safe: String,
    #[serde(default, deserialize_with = "or_default")]
    code_word_duress: String,
    #[serde(default, deserialize_with = "or_default")]
    shared_with: String,
    #[serde(default, deserialize_with = "or_default")]
    proxy: String,
    #[serde(default, deserialize_with = "or_default")]
    expires_at: String,
    #[serde(default, deserialize_with = "or_default")]
    address: String,
}

/// Reads a report.
pub(crate) fn parse(text: &Text) -> Result<intake::Report, FileError> {
    Ok(message(text.parse::<Report>()?.value))
}

/// Reads a report that is part of a larger file, there at `path`.
pub(super) fn parse_part(text: &Text, path: &str, part: &serde_json::Value) -> Result<intake::Report, FileError> {
    match serde_path_to_error::deserialize::<_, Report>(part) {
        Ok(report) => Ok(message(report)),
        Err(error) => {
            let below = error.path().to_string();
            let whole = if below == "." { path.to_owned() } else { format!("{path}.{below}") };
            Err(text.wrong_at(&whole, super::without_the_value(error.inner())))
        }
    }
}

fn message(report: Report) -> intake::Report {
    intake::Report {
        reporter: report.reporter.map(|reporter| intake::Reporter {
            relation: reporter.relation,
            organisation_id: reporter.organisation_id,
            language: reporter.language,
        }),
        submitted_at: report.submitted_at,
        country: report.country,
        place_type: report.place_type,
        subject: report.subject.map(|subject| intake::Subject { unit: subject.unit, count: subject.count }),
        kinds: report.kinds,
        actors: report
            .actors
            .into_iter()
            .map(|actor| intake::ReportedActor { code: actor.code, degree: actor.degree })
            .collect(),
        groups: report.groups,
        phase: report.phase,
        support_asked: report.support_asked,
        adversary_date: report.adversary_date.map(|date| intake::AdversaryDate { kind: date.kind, at: date.at }),
        safe_contact: report.safe_contact.map(safe_contact),
        narrative: report.narrative,
    }
}

fn safe_contact(contact: SafeContact) -> intake::SafeContact {
    intake::SafeContact {
        allowed: contact.allowed,
        forbidden: contact.forbidden,
        hours: contact.hours,
        time_zone: contact.time_zone,
        language: contact.language,
        cover_text: contact.cover_text,
        code_word_safe: contact.code_word_safe,
        code_word_duress: contact.code_word_duress,
        shared_with: contact.shared_with,
        proxy: contact.proxy,
        expires_at: contact.expires_at,
        address: contact.address,
    }
}

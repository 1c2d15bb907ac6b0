//! A consent as a scenario file says it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tocsin_proto::triage::v1 as triage;

use super::fields::{Moment, or_default};

/// One who, purpose, audience and identity level.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Consent {
    #[serde(default, deserialize_with = "or_default")]
    who: String,
    #[serde(default, deserialize_with = "or_default")]
    purpose: String,
    #[serde(default, deserialize_with = "or_default")]
    audience: String,
    #[serde(default, deserialize_with = "or_default")]
    identity_level: String,
    #[serde(default, deserialize_with = "or_default")]
    status: String,
    #[serde(default, deserialize_with = "or_default")]
    form: String,
    #[serde(default)]
    limits: Value,
    #[serde(default, deserialize_with = "or_default")]
    reason: String,
    #[serde(default)]
    expires_at: Option<Moment>,
}

impl Consent {
    /// The record that triage is asked to keep.
    pub(super) fn message(&self) -> triage::ConsentRecord {
        triage::ConsentRecord {
            who: self.who.clone(),
            purpose: self.purpose.clone(),
            audience: self.audience.clone(),
            identity_level: self.identity_level.clone(),
            status: self.status.clone(),
            form: self.form.clone(),
            limits: limits(&self.limits),
            reason: self.reason.clone(),
            expires_at: self.expires_at.map(Moment::timestamp),
            ..triage::ConsentRecord::default()
        }
    }
}

/// Limits that a program can check are lists under `organisations` and `languages`. Whatever else is written there is
/// a limit in words, which nobody can check and which therefore refuses a release.
fn limits(value: &Value) -> Option<triage::ConsentLimits> {
    let mut limits = triage::ConsentLimits::default();
    match value {
        Value::Null => return None,
        Value::Object(parts) => {
            for (key, part) in parts {
                match (key.as_str(), texts(part)) {
                    _ if part.is_null() => {}
                    // An empty list may have meant nobody or anybody: no program can tell.
                    (_, Some(list)) if list.is_empty() => limits.unchecked.push(format!("{key}: []")),
                    ("organisations", Some(list)) => limits.organisations = list,
                    ("languages", Some(list)) => limits.languages = list,
                    _ => limits.unchecked.push(format!("{key}: {}", in_words(part))),
                }
            }
        }
        Value::Array(parts) => limits.unchecked.extend(parts.iter().map(in_words)),
        other => limits.unchecked.push(in_words(other)),
    }
    (limits != triage::ConsentLimits::default()).then_some(limits)
}

/// A list of texts; `null` counts as the empty list.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(parts) => parts.iter().map(|part| part.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn in_words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

//! Consent records between wire, store and domain.

use tocsin_domain::consent::{ConsentRecord, Limits};
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::{from_timestamp, timestamp};
use tocsin_proto::triage::v1 as wire;

use super::Fields;

/// Reads a consent record, as it is given or as it was stored.
pub(crate) fn consent(given: &wire::ConsentRecord) -> Result<ConsentRecord, Failure> {
    let mut fields = Fields::default();
    let who = fields.parse("consent.who", &given.who);
    let purpose = fields.parse("consent.purpose", &given.purpose);
    let audience = fields.parse("consent.audience", &given.audience);
    let identity_level = fields.parse("consent.identity_level", &given.identity_level);
    let status = fields.parse("consent.status", &given.status);
    let form = fields.parse("consent.form", &given.form);
    fields.optional_text("consent.reason", &given.reason);
    let limits = given.limits.as_ref().map(|limits| limits_of(limits, &mut fields));
    let expires_at = from_timestamp(given.expires_at.as_ref());
    if given.expires_at.is_some() && expires_at.is_none() {
        fields.fault("consent.expires_at", "is not a moment");
    }
    let decoded = (|| {
        Some(ConsentRecord {
            who: who?,
            purpose: purpose?,
            audience: audience?,
            identity_level: identity_level?,
            status: status?,
            form: form?,
            limits,
            reason: (!given.reason.is_empty()).then(|| given.reason.clone()),
            expires_at,
            version: given.version,
        })
    })();
    fields.finish("CONSENT_INVALID", decoded)
}

fn limits_of(given: &wire::ConsentLimits, fields: &mut Fields) -> Limits {
    for (index, text) in given.unchecked.iter().enumerate() {
        fields.line(&format!("consent.limits.unchecked[{index}]"), text);
    }
    Limits {
        organisations: fields.parse_list("consent.limits.organisations", &given.organisations),
        languages: fields.parse_list("consent.limits.languages", &given.languages),
        unchecked: given.unchecked.clone(),
    }
}

/// The wire form of a record that was checked, without who recorded it.
pub(crate) fn to_wire(record: &ConsentRecord) -> wire::ConsentRecord {
    wire::ConsentRecord {
        version: record.version,
        who: record.who.to_string(),
        purpose: record.purpose.to_string(),
        audience: record.audience.to_string(),
        identity_level: record.identity_level.to_string(),
        status: record.status.to_string(),
        form: record.form.to_string(),
        limits: record.limits.as_ref().map(|limits| wire::ConsentLimits {
            organisations: limits.organisations.iter().map(ToString::to_string).collect(),
            languages: limits.languages.iter().map(ToString::to_string).collect(),
            unchecked: limits.unchecked.clone(),
        }),
        reason: record.reason.clone().unwrap_or_default(),
        expires_at: record.expires_at.map(timestamp),
        ..wire::ConsentRecord::default()
    }
}

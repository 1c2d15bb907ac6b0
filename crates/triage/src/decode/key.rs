//! Keys between wire and the platform's credentials.

use chrono::{DateTime, Utc};
use tocsin_domain::role::Role;
use tocsin_platform::credentials::{KeyRecord, NewKey};
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::{from_timestamp, timestamp};
use tocsin_proto::triage::v1 as wire;

use super::Fields;

/// Roles that act for an organisation, so their key must name one.
const FOR_AN_ORGANISATION: [Role; 2] = [Role::SignatoryDelegate, Role::PartnerDesk];

/// Reads a key that is to be made.
pub(crate) fn new_key(given: &wire::Key, now: DateTime<Utc>) -> Result<NewKey, Failure> {
    let mut fields = Fields::default();
    let actor = fields.parse("key.actor_id", &given.actor_id);
    fields.line("key.name", &given.name);
    let roles: Vec<Role> = fields.parse_list("key.roles", &given.roles);
    if given.roles.is_empty() {
        fields.fault("key.roles", "at least one role is needed");
    }
    if roles.contains(&Role::Reporter) {
        fields.fault("key.roles", "reporters need no key: their receipt is one");
    }
    let organisation = fields.parse_optional("key.organisation_id", &given.organisation_id);
    if given.organisation_id.is_empty() && roles.iter().any(|role| FOR_AN_ORGANISATION.contains(role)) {
        fields.fault("key.organisation_id", "a signatory delegate or partner desk acts for an organisation; name it");
    }
    let country = fields.parse_optional("key.country", &given.country);
    let expires_at = from_timestamp(given.expires_at.as_ref());
    if given.expires_at.is_some() && expires_at.is_none_or(|at| at <= now) {
        fields.fault("key.expires_at", "must be a moment in the future, or left out");
    }
    let decoded =
        actor.map(|actor| NewKey { actor, name: given.name.clone(), roles, organisation, country, expires_at });
    fields.finish("KEY_INVALID", decoded)
}

/// A key as it is listed: everything but the secret.
pub(crate) fn to_wire(record: &KeyRecord) -> wire::Key {
    let principal = &record.principal;
    wire::Key {
        key_id: record.id.to_string(),
        actor_id: principal.actor.to_string(),
        name: principal.name.clone(),
        roles: principal.roles.iter().map(ToString::to_string).collect(),
        organisation_id: principal.organisation.as_ref().map(ToString::to_string).unwrap_or_default(),
        country: principal.country.as_ref().map(ToString::to_string).unwrap_or_default(),
        created_at: Some(timestamp(record.created_at)),
        expires_at: record.expires_at.map(timestamp),
        revoked_at: record.revoked_at.map(timestamp),
    }
}

//! Events as they come: from the wire to the row of a bulletin and whom it is for. Pure.

use chrono::TimeDelta;
use tocsin_platform::clock::to_ms;
use tocsin_platform::consume::ConsumeError;
use tocsin_platform::seal::Sealed;
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::event::v1::{NoticesRequested, PageRequested};
use uuid::Uuid;

use crate::entity::bulletin;
use crate::expand::Asked;
use crate::office::Office;
use crate::render::BulletinKind;

/// How long a page may still be sent after the answer was due.
const PAGE_OPEN_HOURS: i64 = 24;

/// A field that is missing or no value of its kind.
pub(crate) fn fault(field: &str) -> ConsumeError {
    ConsumeError::Fault(format!("the field {field} cannot be read"))
}

/// An id that another service wrote.
pub(crate) fn parse_id(field: &str, given: &str) -> Result<Uuid, ConsumeError> {
    Uuid::try_parse(given).map_err(|_| fault(field))
}

/// Reads a request; when it came is filled in later.
pub(crate) fn decode_request(
    message: NoticesRequested,
    office: &Office,
) -> Result<(bulletin::Model, String, Vec<Asked>), ConsumeError> {
    let deadline = from_timestamp(message.deadline.as_ref()).ok_or_else(|| fault("deadline"))?;
    let released_at = from_timestamp(message.released_at.as_ref()).ok_or_else(|| fault("released_at"))?;
    let consent_expires_at = match &message.consent_expires_at {
        None => None,
        Some(at) => Some(from_timestamp(Some(at)).ok_or_else(|| fault("consent_expires_at"))?),
    };
    let open_for = TimeDelta::hours(office.config.expire_after_hours.into());
    // An adversary's date that has passed already ends the deadline, not the need to be told.
    let latest = deadline.max(released_at);
    let expires_at = latest.checked_add_signed(open_for).unwrap_or(latest);
    let coordinator = message.coordinator.unwrap_or_default();
    let row = bulletin::Model {
        bulletin_id: parse_id("alert_id", &message.alert_id)?,
        revision: i32::try_from(message.revision).map_err(|_| fault("revision"))?,
        kind: BulletinKind::Alert.as_str().to_owned(),
        short_code: message.short_code,
        priority: message.priority,
        tlp: message.tlp,
        released_at_ms: to_ms(released_at),
        deadline_at_ms: to_ms(deadline),
        expires_at_ms: to_ms(expires_at),
        consent_expires_at_ms: consent_expires_at.map(to_ms),
        drill: message.drill,
        source_language: message.source_language,
        reviewed_languages: message.reviewed_languages.join(" "),
        coordinator_id: coordinator.actor_id,
        coordinator_name: coordinator.name,
        sealed_texts: message.texts.map(|sealed| Sealed::from(sealed).to_bytes()),
        created_at_ms: 0,
    };
    let asked = message.recipients.into_iter().map(|recipient| Asked {
        contact_id: recipient.contact_id,
        organisation_id: recipient.organisation_id,
        acknowledge_token: recipient.acknowledge_token,
    });
    Ok((row, message.batch_id, asked.collect()))
}

/// Reads a page.
pub(crate) fn decode_page(message: &PageRequested, now_ms: i64) -> Result<bulletin::Model, ConsumeError> {
    let due = from_timestamp(message.answer_due_at.as_ref()).ok_or_else(|| fault("answer_due_at"))?;
    Ok(bulletin::Model {
        bulletin_id: parse_id("page_id", &message.page_id)?,
        revision: 0,
        kind: BulletinKind::Page.as_str().to_owned(),
        short_code: String::new(),
        priority: message.priority.clone(),
        tlp: tocsin_domain::tlp::Tlp::Red.as_str().to_owned(),
        released_at_ms: now_ms,
        deadline_at_ms: to_ms(due),
        // A late page is better than none: an escalation comes anyway.
        expires_at_ms: to_ms(due).max(now_ms) + TimeDelta::hours(PAGE_OPEN_HOURS).num_milliseconds(),
        consent_expires_at_ms: None,
        drill: false,
        source_language: tocsin_domain::language::Language::En.as_str().to_owned(),
        reviewed_languages: String::new(),
        coordinator_id: String::new(),
        coordinator_name: String::new(),
        sealed_texts: None,
        created_at_ms: now_ms,
    })
}

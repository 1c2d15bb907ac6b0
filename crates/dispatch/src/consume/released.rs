//! `alert.released`: choose the audience again, publish to the feed and ask for notices, all in one transaction.
//!
//! It fails closed: a withdrawal that came first, or a consent that has expired since, means that nobody is told. The
//! audience is never wider than the one on which the gate decided.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;
use tocsin_domain::audience::AudienceQuestion;
use tocsin_domain::codes::DefenderGroup;
use tocsin_domain::id::{AlertId, NoticeId, OrganisationId};
use tocsin_domain::notice::NoticeState;
use tocsin_domain::priority::Priority;
use tocsin_domain::reference::ShortCode;
use tocsin_domain::tlp::Tlp;
use tocsin_platform::clock::to_ms;
use tocsin_platform::consume::{ConsumeError, IncomingEvent};
use tocsin_platform::database::agreed_now;
use tocsin_platform::seal::Sealed;
use tocsin_proto::common::v1::Person;
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::event::v1::{AlertContent, AlertReleased, ConsentReliedOn};

use super::batches::{Recipient, notices_requested};
use crate::dispatch::Dispatch;
use crate::entity::{alert, notice_progress};
use crate::error::fault;
use crate::expiry::CONSENT_EXPIRED;
use crate::network::Network;
use crate::store;
use crate::store::alerts::{RELEASED, WITHDRAWN};

/// The event, read.
pub(super) struct Release {
    pub(super) id: AlertId,
    pub(super) revision: u32,
    pub(super) short_code: ShortCode,
    pub(super) priority: Priority,
    pub(super) tlp: Tlp,
    pub(super) released_at: DateTime<Utc>,
    pub(super) deadline: DateTime<Utc>,
    pub(super) drill: bool,
    pub(super) consent_expires_at: Option<DateTime<Utc>>,
    pub(super) coordinator: Option<Person>,
    sealed: Sealed,
}

/// What becomes of a release.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// It is known already.
    Ignore,
    /// It is kept, but nobody is told.
    Withhold { reason: String },
    /// Its audience is told.
    Publish { update: bool },
}

pub(super) async fn consume(
    dispatch: &Dispatch,
    transaction: &DatabaseTransaction,
    event: &IncomingEvent,
) -> Result<(), ConsumeError> {
    let release = decode(event.message()?)?;
    // A withdrawal of the same alert at the same moment waits, or is waited for.
    store::feed::lock(transaction).await?;
    let known = store::alerts::find(transaction, release.id.as_uuid()).await?;
    // The agreed time: a process with a wrong clock must neither withhold an alert nor tell one whose consent has ended.
    let now = agreed_now(transaction, &dispatch.clock).await?;
    let decision = decide(known.as_ref(), i64::from(release.revision), release.consent_expires_at, now);
    if decision == Decision::Ignore {
        return Ok(());
    }
    let content = dispatch
        .contents
        .open(release.id.as_uuid(), i64::from(release.revision), &release.sealed)
        .map_err(|error| fault(&error.to_string()))?;
    let feed = store::feed::next_position(transaction).await?;
    let row = row(dispatch, &release, &content, &decision, known.as_ref());
    let row = alert::Model { feed_position: Some(feed.position), feed_at_ms: to_ms(now), ..row };
    store::alerts::put(transaction, row).await?;
    if !matches!(decision, Decision::Publish { .. }) {
        return Ok(());
    }
    let network = dispatch.networks.at(transaction, feed.network_version).await?;
    let recipients = audience(&release, &content, &network)?;
    let counted: Vec<_> = recipients
        .iter()
        .map(|recipient| (recipient.organisation.clone(), i32::try_from(recipient.contacts.len()).unwrap_or(i32::MAX)))
        .collect();
    store::recipients::put(transaction, release.id.as_uuid(), i64::from(release.revision), &counted).await?;
    store::progress::put(transaction, without_contact(&release, &recipients, now)).await?;
    let outgoing = notices_requested(dispatch, transaction, &release, &content, &recipients, now).await?;
    dispatch.outbox.record(transaction, &outgoing).await?;
    Ok(())
}

fn decode(message: AlertReleased) -> Result<Release, ConsumeError> {
    let moment = |at: Option<&prost_types::Timestamp>, field: &str| {
        from_timestamp(at).ok_or_else(|| fault(&format!("{field} is missing or no moment")))
    };
    // Every release relies on at least one consent; an event that names none cannot be checked.
    if message.consents.is_empty() {
        return Err(fault("consents is empty"));
    }
    Ok(Release {
        id: message.alert_id.parse().map_err(|_| fault("alert_id is not a UUID"))?,
        revision: message.revision,
        short_code: message.short_code.parse().map_err(|_| fault("short_code is no short code"))?,
        priority: message.priority.parse().map_err(|_| fault("priority is no priority"))?,
        tlp: message.tlp.parse().map_err(|_| fault("tlp is no TLP label"))?,
        released_at: moment(message.released_at.as_ref(), "released_at")?,
        deadline: moment(message.deadline.as_ref(), "deadline")?,
        drill: message.drill,
        consent_expires_at: earliest_expiry(&message.consents)?,
        coordinator: message.coordinator,
        sealed: message.content.ok_or_else(|| fault("content is missing"))?.into(),
    })
}

/// When the first of the consents expires; `None` when none does.
fn earliest_expiry(consents: &[ConsentReliedOn]) -> Result<Option<DateTime<Utc>>, ConsumeError> {
    let mut earliest: Option<DateTime<Utc>> = None;
    for consent in consents {
        let Some(given) = &consent.expires_at else { continue };
        let expiry = from_timestamp(Some(given)).ok_or_else(|| fault("consents.expires_at is no moment"))?;
        earliest = Some(earliest.map_or(expiry, |known| known.min(expiry)));
    }
    Ok(earliest)
}

fn decide(
    known: Option<&alert::Model>,
    revision: i64,
    consent_expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Decision {
    if let Some(known) = known {
        if revision <= known.content_revision {
            return Decision::Ignore;
        }
        if known.state == WITHDRAWN && revision <= known.revision {
            return Decision::Withhold { reason: known.withdrawn_reason.clone() };
        }
    }
    if consent_expires_at.is_some_and(|expiry| expiry <= now) {
        return Decision::Withhold { reason: CONSENT_EXPIRED.to_owned() };
    }
    Decision::Publish { update: known.is_some_and(|known| known.content_revision >= 0) }
}

/// The row, all but its place in the feed.
fn row(
    dispatch: &Dispatch,
    release: &Release,
    content: &AlertContent,
    decision: &Decision,
    known: Option<&alert::Model>,
) -> alert::Model {
    let revision = i64::from(release.revision);
    let (state, change, reason) = match decision {
        Decision::Publish { update: true } => (RELEASED, "updated", ""),
        Decision::Withhold { reason } => (WITHDRAWN, WITHDRAWN, reason.as_str()),
        Decision::Publish { update: false } | Decision::Ignore => (RELEASED, RELEASED, ""),
    };
    let withdrawn_at_ms = known.and_then(|known| known.withdrawn_at_ms).unwrap_or_else(|| dispatch.clock.now_ms());
    alert::Model {
        alert_id: release.id.as_uuid(),
        revision: known.map_or(revision, |known| known.revision.max(revision)),
        short_code: release.short_code.to_string(),
        reference_mac: Some(dispatch.reference_mac(&content.reference)),
        priority: release.priority.to_string(),
        tlp: release.tlp.to_string(),
        released_at_ms: to_ms(release.released_at),
        deadline_at_ms: to_ms(release.deadline),
        drill: release.drill,
        consent_expires_at_ms: release.consent_expires_at.map(to_ms),
        state: state.to_owned(),
        withdrawn_reason: reason.to_owned(),
        withdrawn_at_ms: (state == WITHDRAWN).then_some(withdrawn_at_ms),
        content: Some(release.sealed.to_bytes()),
        content_revision: revision,
        feed_position: None,
        feed_change: change.to_owned(),
        feed_at_ms: 0,
    }
}

/// The organisations that the register chooses now and that the gate had chosen, with their contacts.
fn audience(release: &Release, content: &AlertContent, network: &Network) -> Result<Vec<Recipient>, ConsumeError> {
    let groups: Vec<DefenderGroup> = parse_all(&content.groups, "groups")?;
    let named: Vec<OrganisationId> = parse_all(&content.named_partners, "named_partners")?;
    let decided: HashSet<OrganisationId> =
        parse_all(&content.organisation_ids, "organisation_ids")?.into_iter().collect();
    let question = AudienceQuestion {
        track: content.track.parse().map_err(|_| fault("track is no track"))?,
        tlp: release.tlp,
        priority: release.priority,
        country: content.country.parse().map_err(|_| fault("country is no country"))?,
        groups: &groups,
        named: &named,
    };
    let chosen = network.choose(&question).chosen.into_iter().filter(|id| decided.contains(id));
    let with_contacts = chosen.map(|organisation| {
        let contacts = network.entry(&organisation).map(|entry| Arc::from(entry.contacts.as_slice()));
        Recipient { organisation, contacts: contacts.unwrap_or_default() }
    });
    Ok(with_contacts.collect())
}

/// An organisation without a contact is reached by hand or not at all, which nobody but dispatch can say.
fn without_contact(release: &Release, recipients: &[Recipient], now: DateTime<Utc>) -> Vec<notice_progress::Model> {
    let coordinator = release.coordinator.as_ref().map(|person| person.name.clone()).unwrap_or_default();
    let unreached = recipients.iter().filter(|recipient| recipient.contacts.is_empty());
    let rows = unreached.map(|recipient| notice_progress::Model {
        notice_id: NoticeId::new(now).as_uuid(),
        alert_id: release.id.as_uuid(),
        contact_id: String::new(),
        organisation_id: recipient.organisation.to_string(),
        channel: "none".to_owned(),
        state: NoticeState::RejectedPermanent.to_string(),
        language: String::new(),
        reason: "no_contact".to_owned(),
        at_ms: to_ms(now),
        handed_to: coordinator.clone(),
        due_at_ms: None,
        version: 1,
    });
    rows.collect()
}

fn parse_all<T: std::str::FromStr>(texts: &[String], field: &str) -> Result<Vec<T>, ConsumeError> {
    let parsed = texts.iter().map(|text| text.parse().ok()).collect::<Option<Vec<T>>>();
    parsed.ok_or_else(|| fault(&format!("{field} holds an unknown entry")))
}

//! `notices.requested`: the audience's contacts in batches, opaque ids with a token each; text only at CLEAR and GREEN.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use prost::Message as _;
use sea_orm::DatabaseTransaction;
use tocsin_domain::codes::Translation;
use tocsin_domain::id::{BatchId, ContactId, OrganisationId};
use tocsin_platform::consume::ConsumeError;
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::seal;
use tocsin_platform::sealing_keys;
use tocsin_proto::catalogue::{Lane, NOTICES_REQUESTED, Service};
use tocsin_proto::common::v1::{AlertText, Sealed};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::{AlertContent, AlertTexts, NoticeRecipient, NoticesRequested};

use super::released::Release;
use crate::dispatch::{Dispatch, lane};
use crate::error::fault;

/// One organisation of the audience.
pub(super) struct Recipient {
    pub(super) organisation: OrganisationId,
    pub(super) contacts: Arc<[ContactId]>,
}

/// One event a batch, in the order of the audience. The first batch of an urgent alert is small.
pub(super) async fn notices_requested(
    dispatch: &Dispatch,
    transaction: &DatabaseTransaction,
    release: &Release,
    content: &AlertContent,
    recipients: &[Recipient],
    now: DateTime<Utc>,
) -> Result<Vec<OutgoingEvent>, ConsumeError> {
    let contacts = with_tokens(dispatch, release, recipients);
    if contacts.is_empty() {
        return Ok(Vec::new());
    }
    let reviewed = reviewed(content);
    let texts = sealed_texts(transaction, release, content, &reviewed).await?;
    let lane = lane(release.priority);
    let batches = in_batches(contacts, dispatch, lane);
    let events = batches.into_iter().map(|batch| {
        let batch_id = BatchId::new(now);
        let message = NoticesRequested {
            batch_id: batch_id.to_string(),
            alert_id: release.id.to_string(),
            revision: release.revision,
            short_code: release.short_code.to_string(),
            priority: release.priority.to_string(),
            tlp: release.tlp.to_string(),
            released_at: Some(timestamp(release.released_at)),
            deadline: Some(timestamp(release.deadline)),
            drill: release.drill,
            source_language: content.source_language.clone(),
            reviewed_languages: reviewed.iter().map(|text| text.language.clone()).collect(),
            recipients: batch,
            texts: texts.clone(),
            coordinator: release.coordinator.clone(),
            consent_expires_at: release.consent_expires_at.map(timestamp),
        };
        let version = i64::from(release.revision);
        OutgoingEvent::new(&NOTICES_REQUESTED, lane, batch_id.to_string(), version, &message, now)
    });
    Ok(events.collect())
}

fn with_tokens(dispatch: &Dispatch, release: &Release, recipients: &[Recipient]) -> Vec<NoticeRecipient> {
    let of_one = |recipient: &Recipient| {
        let organisation_id = recipient.organisation.to_string();
        let contacts = Arc::clone(&recipient.contacts);
        let tokens: Vec<_> = contacts.iter().map(|contact| dispatch.keys.issue(release.id, contact)).collect();
        let named: Vec<_> = contacts.iter().map(ToString::to_string).zip(tokens).collect();
        named.into_iter().map(move |(contact_id, acknowledge_token)| NoticeRecipient {
            contact_id,
            organisation_id: organisation_id.clone(),
            acknowledge_token,
        })
    };
    recipients.iter().flat_map(of_one).collect()
}

fn in_batches(contacts: Vec<NoticeRecipient>, dispatch: &Dispatch, lane: Lane) -> Vec<Vec<NoticeRecipient>> {
    let most = dispatch.config.batch_contacts_max;
    let mut size = if lane == Lane::Urgent { dispatch.config.first_batch_contacts_max.min(most) } else { most };
    let mut contacts = contacts.into_iter();
    let mut batches = Vec::new();
    loop {
        let batch: Vec<_> = contacts.by_ref().take(size).collect();
        if batch.is_empty() {
            return batches;
        }
        batches.push(batch);
        size = most;
    }
}

fn reviewed(content: &AlertContent) -> Vec<AlertText> {
    content.texts.iter().filter(|text| text.translation == Translation::Reviewed.as_str()).cloned().collect()
}

/// The texts sealed to notification, once for all batches; above GREEN there are none.
async fn sealed_texts(
    transaction: &DatabaseTransaction,
    release: &Release,
    content: &AlertContent,
    reviewed: &[AlertText],
) -> Result<Option<Sealed>, ConsumeError> {
    if !release.tlp.allows_text() {
        return Ok(None);
    }
    let key = sealing_keys::newest(transaction, Service::Notification).await?.ok_or_else(|| {
        ConsumeError::Unavailable("the sealing key of notification has not been published yet".to_owned())
    })?;
    let texts = AlertTexts { reference: content.reference.clone(), texts: reviewed.to_vec() };
    let associated = format!("texts:{}:{}", release.id, release.revision);
    let plaintext = zeroize::Zeroizing::new(texts.encode_to_vec());
    let sealed = seal::seal(&key, &associated, &plaintext).map_err(|error| fault(&error.to_string()))?;
    Ok(Some(sealed.into()))
}

//! Recording what an organisation answers: from the feed's reader and from the page that acknowledges alike.

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;
use tocsin_domain::codes::Ask;
use tocsin_domain::id::OrganisationId;
use tocsin_platform::clock::{from_ms, to_ms};
use tocsin_platform::database::agreed_now;
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_proto::catalogue::{Lane, NOTICES_WITHDRAWN, RESPONSE_RECORDED};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::{NoticesWithdrawn, ResponseRecorded};

use crate::dispatch::{Dispatch, lane_of};
use crate::entity::{alert, recipient};
use crate::error::DispatchError;
use crate::response::{Decision, Response, decide};
use crate::store;
use crate::store::alerts::{AlertName, is_over};

/// What is recorded now.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) response: Response,
    pub(crate) at: DateTime<Utc>,
    /// Whether something was written; false when it says what was known already.
    pub(crate) is_new: bool,
}

/// Records the answer of one organisation. The same answer again changes nothing and says so again.
pub(crate) async fn respond(
    dispatch: &Dispatch,
    name: &AlertName,
    organisation: &OrganisationId,
    given: Response,
) -> Result<Recorded, DispatchError> {
    let transaction = dispatch.database.begin().await?;
    let recorded = respond_in(dispatch, &transaction, name, organisation, given).await?;
    if recorded.is_new {
        tocsin_platform::database::commit(transaction, "dispatch.respond").await?;
        dispatch.outbox.wake();
    } else {
        transaction.rollback().await?;
    }
    Ok(recorded)
}

/// The same in a transaction of the caller's.
pub(crate) async fn respond_in(
    dispatch: &Dispatch,
    transaction: &DatabaseTransaction,
    name: &AlertName,
    organisation: &OrganisationId,
    given: Response,
) -> Result<Recorded, DispatchError> {
    let alert = store::alerts::find_named(transaction, name, Some(organisation)).await?;
    let alert = alert.ok_or(DispatchError::NoAlert)?;
    let recipient = store::recipients::find(transaction, alert.alert_id, organisation).await?;
    let recipient = recipient.ok_or(DispatchError::NoAlert)?;
    let content = dispatch.contents.of(&alert)?.ok_or(DispatchError::NoAlert)?;
    let asks: Vec<Ask> = content.asks.iter().filter_map(|ask| ask.parse().ok()).collect();
    let current = recipient.response.parse().ok();
    let now = agreed_now(transaction, &dispatch.clock).await?;
    let withdrawn = is_over(&alert, to_ms(now));
    // An update asks again: the same answer to a newer revision counts, because it stops the notices of that revision.
    let stale = !withdrawn && recipient.responded_revision < alert.content_revision;
    match decide(current, given, &asks, withdrawn)? {
        Decision::Keep(response) if !stale => {
            let at = recipient.responded_at_ms.map_or(now, from_ms);
            Ok(Recorded { response, at, is_new: false })
        }
        Decision::Keep(response) | Decision::Record(response) => {
            record(dispatch, transaction, &alert, &recipient, response, now).await?;
            Ok(Recorded { response, at: now, is_new: true })
        }
    }
}

/// The answer for triage, and, with the first one to a revision, the word to notification that no more notices are needed.
async fn record(
    dispatch: &Dispatch,
    transaction: &DatabaseTransaction,
    alert: &alert::Model,
    recipient: &recipient::Model,
    response: Response,
    now: DateTime<Utc>,
) -> Result<(), DispatchError> {
    let revision = alert.content_revision;
    let version = store::recipients::answer(transaction, recipient, response, revision, to_ms(now)).await?;
    let lane = lane_of(&alert.priority);
    let aggregate = format!("{}:{}", alert.alert_id, recipient.organisation_id);
    let recorded = ResponseRecorded {
        alert_id: alert.alert_id.to_string(),
        organisation_id: recipient.organisation_id.clone(),
        response: response.to_string(),
        version: u32::try_from(version).unwrap_or(u32::MAX),
        at: Some(timestamp(now)),
    };
    let mut outgoing = vec![OutgoingEvent::new(&RESPONSE_RECORDED, lane, aggregate.clone(), version, &recorded, now)];
    if recipient.responded_revision < revision {
        let withdrawn = NoticesWithdrawn {
            alert_id: alert.alert_id.to_string(),
            revision: u32::try_from(revision).unwrap_or(0),
            organisation_id: recipient.organisation_id.clone(),
            reason: Response::Acknowledged.to_string(),
            at: Some(timestamp(now)),
        };
        // Stopping must overtake sending.
        outgoing.push(OutgoingEvent::new(&NOTICES_WITHDRAWN, Lane::Urgent, aggregate, version, &withdrawn, now));
    }
    dispatch.outbox.record(transaction, &outgoing).await?;
    Ok(())
}

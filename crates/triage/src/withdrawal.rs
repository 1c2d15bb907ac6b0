//! Calling alerts back: a stop-action, or a consent that was withdrawn or refused after the release.

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;
use tocsin_domain::case::{TrackAction, TrackState};
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_proto::catalogue::{ALERT_WITHDRAWN, Lane};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::AlertWithdrawn;

use crate::entity::alert::released;
use crate::error::TriageError;
use crate::store::alerts;
use crate::store::drafts::CurrentDraft;

/// Why alerts are called back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Stopped,
    ConsentWithdrawn,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::ConsentWithdrawn => "consent_withdrawn",
        }
    }
}

/// Marks the alerts withdrawn and makes the events that stop their queues and recall them. They travel in the urgent
/// lane whatever the alert's own: stopping must overtake sending.
pub(crate) async fn withdraw(
    transaction: &DatabaseTransaction,
    withdrawn: &[released::Model],
    reason: Reason,
    now: DateTime<Utc>,
) -> Result<Vec<OutgoingEvent>, TriageError> {
    let mut events = Vec::with_capacity(withdrawn.len());
    for alert in withdrawn {
        alerts::withdraw(transaction, alert.alert_id).await?;
        let alert_id = alert.alert_id.to_string();
        let message = AlertWithdrawn {
            alert_id: alert_id.clone(),
            revision: u32::try_from(alert.revision).unwrap_or(0),
            reason: reason.as_str().to_owned(),
            at: Some(timestamp(now)),
        };
        let version = withdrawn_version(alert.revision);
        events.push(OutgoingEvent::new(&ALERT_WITHDRAWN, Lane::Urgent, alert_id, version, &message, now));
    }
    Ok(events)
}

/// The version of an alert's aggregate at the release of a revision.
pub(crate) fn released_version(revision: i32) -> i64 {
    i64::from(revision) * 2 + 1
}

fn withdrawn_version(revision: i32) -> i64 {
    released_version(revision) + 1
}

/// Moves the current draft along with what happened to the alerts, where its state knows the action.
pub(crate) fn carry_over(draft: &mut CurrentDraft, reason: Reason) -> Result<bool, TriageError> {
    let state = draft.state()?;
    let action = match reason {
        Reason::Stopped => TrackAction::Stop,
        Reason::ConsentWithdrawn if state.is_out() => TrackAction::WithdrawConsent,
        // What is not out needs no recall, and the gate refuses it for the consent alone.
        Reason::ConsentWithdrawn => return Ok(false),
    };
    let concerned = state.is_out() || state == TrackState::Approved;
    if concerned {
        draft.act(action)?;
    }
    Ok(concerned)
}

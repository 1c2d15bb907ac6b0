//! The door for delivery receipts of SMS gateways.
//!
//! Each message carries an address of its own, with a MAC over the notice's id under a local key: whoever shows it is
//! the gateway that was given it. A receipt may come before the submit is recorded; the notice's row exists since before
//! the submit, and the stronger news wins there, so nothing has to be buffered and no order matters.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Deserialize;
use tocsin_domain::notice::{NoticeState, advance};
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use tocsin_platform::fail_points::reach;
use tocsin_platform::failure::Failure;
use tocsin_platform::group_commit::GroupCommit;
use uuid::Uuid;

use crate::channel::kannel_state;
use crate::engine::needs_a_person;
use crate::entity::notice;
use crate::handover;
use crate::office::Office;
use crate::store::{Change, update_notices};

/// A receipt that is authentic and understood.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipt {
    notice_id: Uuid,
    state: NoticeState,
}

/// How a receipt ended; an error is told in words, because it goes to several waiting requests.
pub(crate) type Recorded = Result<(), Failure>;

/// The most receipts in one transaction.
pub(crate) const RECEIPTS_MAX: usize = 256;

#[derive(Clone)]
struct Door {
    office: Arc<Office>,
    receipts: GroupCommit<Receipt, Recorded>,
}

#[derive(Debug, Deserialize)]
struct Shown {
    #[serde(default)]
    id: String,
    #[serde(default)]
    mac: String,
    /// Kannel's type.
    r#type: Option<String>,
    /// A word, as other gateways have it.
    status: Option<String>,
}

/// The routes.
pub(crate) fn router(office: Arc<Office>, receipts: GroupCommit<Receipt, Recorded>) -> Router {
    Router::new().route("/receipts/{gateway}", get(take).post(take)).with_state(Door { office, receipts })
}

async fn take(
    State(door): State<Door>,
    Path(gateway): Path<String>,
    shown: Result<Query<Shown>, axum::extract::rejection::QueryRejection>,
    body: Bytes,
) -> Response {
    let Ok(Query(shown)) = shown else { return not_found().into_response() };
    let notice_id = Uuid::try_parse(&shown.id).ok().filter(|id| door.office.secrets.receipt_is_ours(*id, &shown.mac));
    let Some(notice_id) = notice_id.filter(|_| door.office.gateways.knows(&gateway)) else {
        return not_found().into_response();
    };
    let Some(state) = state_of(&shown, &body) else {
        let message = "send `type` (1 delivered, 2 failed, 4 buffered, 8 accepted, 16 rejected) or a known `status`";
        return Failure::invalid("RECEIPT_UNKNOWN", message).into_response();
    };
    match door.receipts.submit(Receipt { notice_id, state }).await {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(failure)) => failure.into_response(),
        Err(closed) => Failure::unavailable("RECEIPTS_CLOSED", closed.to_string()).into_response(),
    }
}

/// The same answer for a wrong MAC, an unknown notice and an unknown gateway, so that nobody learns which it was.
fn not_found() -> Failure {
    Failure::not_found("NOT_FOUND", "there is nothing here")
}

fn state_of(shown: &Shown, body: &[u8]) -> Option<NoticeState> {
    if let Some(kind) = &shown.r#type {
        return kannel_state(kind.parse().ok()?);
    }
    if let Some(word) = &shown.status {
        return state_of_word(word);
    }
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    state_of_word(value.get("status")?.as_str()?)
}

/// The words that gateways use.
fn state_of_word(word: &str) -> Option<NoticeState> {
    match word.to_ascii_lowercase().as_str() {
        "delivered" | "delivrd" => Some(NoticeState::Delivered),
        "accepted" | "sent" | "acceptd" => Some(NoticeState::Accepted),
        "queued" | "buffered" | "submitted" | "enroute" => Some(NoticeState::HandedToGateway),
        "failed" | "undelivered" | "undeliv" | "rejected" | "rejectd" | "expired" => {
            Some(NoticeState::RejectedPermanent)
        }
        _ => None,
    }
}

/// Records a batch of receipts in one transaction.
pub(crate) async fn record(office: Arc<Office>, receipts: Vec<Receipt>) -> Vec<Recorded> {
    reach("notification.receipts_taken");
    let outcome = record_all(&office, &receipts).await.map_err(Failure::from);
    if outcome.is_ok() {
        office.progress.wake();
        office.engine.wake();
    }
    vec![outcome; receipts.len()]
}

async fn record_all(office: &Office, receipts: &[Receipt]) -> Result<(), DbErr> {
    let mut news: HashMap<Uuid, NoticeState> = HashMap::new();
    for receipt in receipts {
        let known = news.entry(receipt.notice_id).or_insert(receipt.state);
        *known = advance(*known, receipt.state);
    }
    let transaction = office.database.begin().await?;
    let rows = notice::Entity::find()
        .filter(notice::Column::NoticeId.is_in(news.keys().copied()))
        // In one order, so that two processes never wait for each other's rows.
        .order_by_asc(notice::Column::NoticeId)
        .lock_exclusive()
        .all(&transaction)
        .await?;
    let now = agreed_now(&transaction, &office.clock).await?;
    let mut changes = Vec::new();
    let mut failed = Vec::new();
    for row in rows {
        let Some(state) = news.get(&row.notice_id) else { continue };
        let Some(bulletin) = office.bulletin(&transaction, row.bulletin_id, row.revision).await? else { continue };
        let by_hand = handover::name_for(&bulletin).filter(|_| needs_a_person(*state) && row.handed_to.is_none());
        let Some(change) = change(row, *state, by_hand.clone(), bulletin.is_reported(), to_ms(now)) else { continue };
        if by_hand.is_some() {
            failed.push(bulletin);
        }
        changes.push(change);
    }
    update_notices(&transaction, &changes).await?;
    handover::call_coordinators(office, &transaction, &failed, now).await?;
    tocsin_platform::database::commit(transaction, "notification.record_receipts").await
}

/// What a receipt changes; none when it is no news. It ends a lease too: what is in flight ends by itself, and its end
/// finds the stronger state.
fn change(
    row: notice::Model,
    news: NoticeState,
    by_hand: Option<String>,
    reported: bool,
    now_ms: i64,
) -> Option<Change> {
    let current: NoticeState = row.state.parse().ok()?;
    let state = advance(current, news);
    if state == current {
        return None;
    }
    let failed = needs_a_person(state);
    Some(Change {
        notice_id: row.notice_id,
        state: state.as_str().to_owned(),
        reason: failed.then(|| "carrier_refused".to_owned()),
        attempts: row.attempts,
        next_at_ms: None,
        handed_to: row.handed_to.or(by_hand),
        provider_id: row.provider_id,
        version: row.version + 1,
        owed_since_ms: reported.then_some(now_ms),
        changed_at_ms: now_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_words_are_understood() {
        for (query, body, expected) in [
            (Some("1"), "", Some(NoticeState::Delivered)),
            (Some("8"), "", Some(NoticeState::Accepted)),
            (Some("16"), "", Some(NoticeState::RejectedPermanent)),
            (Some("99"), "", None),
            (Some("%d"), "", None),
            (None, r#"{"status":"DELIVRD"}"#, Some(NoticeState::Delivered)),
            (None, r#"{"status":"undelivered"}"#, Some(NoticeState::RejectedPermanent)),
            (None, r#"{"status":7}"#, None),
            (None, "", None),
        ] {
            let shown = Shown { id: String::new(), mac: String::new(), r#type: query.map(str::to_owned), status: None };
            assert_eq!(state_of(&shown, body.as_bytes()), expected, "{query:?} {body}");
        }
    }
}

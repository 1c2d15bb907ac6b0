//! Events in, one function an event: triage's keys, and what it answers to reporters.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::DatabaseTransaction;
use tocsin_domain::id::ReportId;
use tocsin_platform::clock::to_ms;
use tocsin_platform::consume::{Consume, ConsumeError, IncomingEvent};
use tocsin_platform::seal::Sealed;
use tocsin_platform::sealing_keys;
use tocsin_proto::catalogue::{ANSWER_RECORDED, Service, TRIAGE_KEY_PUBLISHED};
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::event::v1::AnswerRecorded;

use crate::entity::answer;
use crate::store;
use crate::triage_key::TriageKey;

/// The longest state that a reporter is shown, in bytes.
const STATE_BYTES_MAX: usize = 40;
/// The longest id of an answer, in bytes.
const ANSWER_ID_BYTES_MAX: usize = 64;

/// intake's handler of events.
pub(crate) struct IntakeConsumer {
    pub(crate) triage_key: Arc<TriageKey>,
}

#[async_trait]
impl Consume for IntakeConsumer {
    async fn consume(&self, transaction: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
        if *event.kind == TRIAGE_KEY_PUBLISHED {
            sealing_keys::hear(transaction, Service::Triage, event).await
        } else if *event.kind == ANSWER_RECORDED {
            answer_recorded(transaction, event).await
        } else {
            Err(fault(event, "intake has nothing to do with it"))
        }
    }

    async fn committed(&self, event: &IncomingEvent) {
        if *event.kind == TRIAGE_KEY_PUBLISHED && self.triage_key.refresh().await.is_err() {
            tracing::warn!("the new key of triage will be read later");
        }
    }
}

/// Moves the state of a report forward and keeps the answer. An answer that comes late is kept too: only its state is
/// old, not its text.
async fn answer_recorded(transaction: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
    let said: AnswerRecorded = event.message()?;
    let report_id: ReportId = said.report_id.parse().map_err(|_| fault(event, "its report id is not an id"))?;
    let version = i64::try_from(said.version).map_err(|_| fault(event, "its version is too large"))?;
    let known_form = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if said.state.is_empty() || said.state.len() > STATE_BYTES_MAX || !said.state.bytes().all(known_form) {
        return Err(fault(event, "its state is not a state"));
    }
    let report_id = report_id.as_uuid();
    if !store::report_exists(transaction, report_id).await? {
        return Err(fault(event, "its report is not known here; after a restore, run redrive on what came since"));
    }
    store::advance_state(transaction, report_id, &said.state, version).await?;
    if said.answer_id.is_empty() {
        return Ok(());
    }
    if said.answer_id.len() > ANSWER_ID_BYTES_MAX {
        return Err(fault(event, "its answer id is too long"));
    }
    let content = said.content.ok_or_else(|| fault(event, "its answer has no content"))?;
    let row = answer::Model {
        answer_id: said.answer_id,
        report_id,
        version,
        answered_at_ms: to_ms(from_timestamp(said.at.as_ref()).unwrap_or(event.at)),
        sealed: Sealed::from(content).to_bytes(),
    };
    Ok(store::keep_answer(transaction, row).await?)
}

fn fault(event: &IncomingEvent, what: &str) -> ConsumeError {
    ConsumeError::Fault(format!("{}: {what}", event.kind.name))
}

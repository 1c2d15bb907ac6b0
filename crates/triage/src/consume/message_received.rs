//! `message.received`: the reporter added something; a case that waited for information goes on.

use sea_orm::DatabaseTransaction;
use tocsin_domain::case::{CaseAction, CaseState};
use tocsin_platform::clock::to_ms;
use tocsin_platform::seal::{self, DataKey, Sealed};
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::event::v1::MessageReceived;
use uuid::Uuid;

use crate::desk::Desk;
use crate::error::TriageError;
use crate::store::cases::OpenCase;
use crate::store::messages::{self, Author};
use crate::store::{cases, trail};
use crate::{answers, consume};

pub(super) async fn consume(
    desk: &Desk,
    transaction: &DatabaseTransaction,
    event: MessageReceived,
) -> Result<(), TriageError> {
    let message = consume::id(&event.message_id)?;
    let report = consume::id(&event.report_id)?;
    let at = from_timestamp(event.received_at.as_ref()).ok_or(TriageError::Foreign("a moment in an event"))?;
    let sealed: Sealed = event.content.ok_or(TriageError::Foreign("a message without content"))?.into();
    if cases::of_report(transaction, report).await?.is_none() {
        return messages::keep_early(transaction, message, report, &sealed, to_ms(at)).await;
    }
    let place = place(message);
    let key = consume::data_key(desk, &place, &sealed).await?;
    let text = text(&key, &place, &sealed)?;
    let mut case = cases::lock(transaction, &desk.vault, &report.to_string()).await?;
    join(desk, transaction, &mut case, message, &text, to_ms(at)).await
}

/// Gives a message to its case.
async fn join(
    desk: &Desk,
    transaction: &DatabaseTransaction,
    case: &mut OpenCase,
    message: Uuid,
    text: &str,
    at_ms: i64,
) -> Result<(), TriageError> {
    let now = desk.clock.now();
    messages::add(transaction, case, message, Author::Reporter, text, at_ms).await?;
    trail::write(transaction, case, trail::SYSTEM, "message_received", "", to_ms(now)).await?;
    if case.state()? == CaseState::NeedsInfo {
        case.act(CaseAction::ReceiveInformation)?;
        let (_, answer) = answers::tell(transaction, case, None, now).await?;
        case.save(transaction).await?;
        desk.outbox.record(transaction, &[answer]).await?;
    }
    Ok(())
}

/// Gives the messages that still wait for a report to the case which it has by now. With two replicas a message and its
/// report can be taken at once, and then neither transaction sees the other's row.
pub(crate) async fn adopt(desk: &Desk, report: Uuid) -> Result<(), TriageError> {
    let transaction = desk.database.begin().await?;
    let mut case = cases::lock(&transaction, &desk.vault, &report.to_string()).await?;
    for early in messages::take_early(&transaction, report).await? {
        let sealed = Sealed::from_bytes(&early.sealed)?;
        let place = place(early.message_id);
        let key = consume::data_key(desk, &place, &sealed).await?;
        let text = text(&key, &place, &sealed)?;
        join(desk, &transaction, &mut case, early.message_id, &text, early.at_ms).await?;
    }
    tocsin_platform::database::commit(transaction, "triage.message_received").await?;
    desk.outbox.wake();
    Ok(())
}

/// What intake bound a message to.
pub(super) fn place(message: Uuid) -> String {
    format!("message:{message}")
}

/// The text of a message.
pub(super) fn text(key: &DataKey, place: &str, sealed: &Sealed) -> Result<String, TriageError> {
    let bytes = seal::open_with(key, place, sealed)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| TriageError::Foreign("the text of a message"))
}

//! Add: a reporter adds something to a report; it is sealed and accepted just as the report was.

use chrono::{DateTime, Utc};
use tocsin_domain::text::multi_line;
use tocsin_platform::clock::to_ms;
use tocsin_platform::failure::{Failure, FieldViolation};
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::seal;
use tocsin_proto::catalogue::{Lane, MESSAGE_RECEIVED};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::MessageReceived;
use tocsin_proto::intake::v1::AddMessageResponse;
use uuid::{NoContext, Timestamp, Uuid};

use crate::accept::Write;
use crate::entity::message;
use crate::error::{sealing_failed, too_much_text, wrong_fields};
use crate::idempotency::{IdempotencyKey, Use};
use crate::intake::Intake;
use crate::store;

/// Accepts a message. `shape` holds the faults that the door found already.
pub(super) async fn add(
    intake: &Intake,
    words: &str,
    text: &str,
    key: &IdempotencyKey,
    shape: Vec<FieldViolation>,
) -> Result<AddMessageResponse, Failure> {
    let receipt = intake.receipt(words).await?;
    check(intake, text, shape)?;
    let report = intake.report_of(&receipt).await?;
    let used_for = receipt.hash();
    let slot = key.slot(&Use::AddMessage(&used_for), text.as_bytes()).map_err(|error| sealing_failed(&error))?;
    let _turn = intake.in_progress.enter(&slot)?;
    let full = report.message_count >= intake.config.messages_per_report_max;
    if full && !store::was_answered(intake.database.reader(), &slot.key_hash).await? {
        return Err(Failure::refused(
            "TOO_MANY_MESSAGES",
            "this report already has as many messages as it may; submit a new report for what is new",
        ));
    }
    let triage_key = intake.triage_key.current().await?;

    let now = intake.clock.now();
    let message_id = message_id(now);
    let sealed = seal::seal(&triage_key, &format!("message:{message_id}"), text.as_bytes())
        .map_err(|error| sealing_failed(&error))?;
    let row = message::Model {
        message_id,
        report_id: report.report_id,
        received_at_ms: to_ms(now),
        sealed: sealed.to_bytes(),
    };
    let said = MessageReceived {
        message_id: message_id.to_string(),
        report_id: report.report_id.to_string(),
        received_at: Some(timestamp(now)),
        content: Some(sealed.into()),
    };
    // intake cannot know how urgent it is, so it is urgent.
    let event = OutgoingEvent::new(&MESSAGE_RECEIVED, Lane::Urgent, message_id.to_string(), 1, &said, now);
    let answer = AddMessageResponse { message_id: message_id.to_string(), received_at: Some(timestamp(now)) };
    intake.accept(&slot, answer, Write::Message(row), event, now).await
}

fn check(intake: &Intake, text: &str, mut shape: Vec<FieldViolation>) -> Result<(), Failure> {
    if text.len() > intake.config.text_bytes_max {
        return Err(too_much_text(text.len(), intake.config.text_bytes_max));
    }
    if !shape.iter().any(|known| matches!(known.field.as_str(), "text" | "body")) {
        let wrong = match multi_line(text) {
            Err(error) => Some(error.to_string()),
            Ok(text) if text.trim().is_empty() => Some("a few words are needed".to_owned()),
            Ok(_) => None,
        };
        shape.extend(wrong.map(|description| FieldViolation { field: "text".to_owned(), description }));
    }
    if shape.is_empty() { Ok(()) } else { Err(wrong_fields("MESSAGE_INVALID", "", shape)) }
}

/// A new id (UUID version 7).
fn message_id(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}

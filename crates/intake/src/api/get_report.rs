//! Get: what the network answered, opened with the key pair that follows from the receipt.

use tocsin_platform::clock::from_ms;
use tocsin_platform::failure::Failure;
use tocsin_platform::seal::{self, SealError, Sealed, SealingKeyPair};
use tocsin_proto::convert::timestamp;
use tocsin_proto::intake::v1::{Answer, GetReportResponse, OwnMessage};

use crate::entity::answer;
use crate::error::sealing_failed;
use crate::intake::Intake;
use crate::store;

/// Stands in for an answer that does not open, so that the others are still shown and nobody waits in vain.
const UNREADABLE: &str = "(This answer cannot be opened with your receipt. Add a message and ask for it again.)";

/// Reads a report's answers. The key pair is derived before the report is looked up, so that a right and a wrong
/// receipt cost the same work.
pub(super) async fn get(intake: &Intake, words: &str) -> Result<GetReportResponse, Failure> {
    let receipt = intake.receipt(words).await?;
    let pair = receipt.key_pair().map_err(|error| sealing_failed(&error))?;
    let report = intake.report_of(&receipt).await?;
    let reader = intake.database.reader();
    let answers = store::answers_of(reader, report.report_id).await?;
    let messages = store::messages_of(reader, report.report_id).await?;
    Ok(GetReportResponse {
        report_id: report.report_id.to_string(),
        received_at: Some(timestamp(from_ms(report.received_at_ms))),
        state: report.state,
        answers: answers.into_iter().map(|row| opened(&pair, row)).collect(),
        messages: messages
            .into_iter()
            .map(|(message_id, received_at_ms)| OwnMessage {
                message_id: message_id.to_string(),
                received_at: Some(timestamp(from_ms(received_at_ms))),
            })
            .collect(),
    })
}

fn opened(pair: &SealingKeyPair, row: answer::Model) -> Answer {
    let text = text_of(pair, &row).unwrap_or_else(|error| {
        tracing::error!(reason = %error, "an answer does not open with its receipt");
        UNREADABLE.to_owned()
    });
    Answer { answer_id: row.answer_id, answered_at: Some(timestamp(from_ms(row.answered_at_ms))), text }
}

fn text_of(pair: &SealingKeyPair, row: &answer::Model) -> Result<String, SealError> {
    let sealed = Sealed::from_bytes(&row.sealed)?;
    let text = seal::open(pair, &format!("answer:{}", row.answer_id), &sealed)?;
    String::from_utf8(text.to_vec()).map_err(|_| SealError::Malformed)
}

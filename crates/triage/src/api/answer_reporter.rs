//! `AnswerReporter`: a text that only the reporter's receipt opens; a question makes the case wait.

use tocsin_domain::case::{CaseAction, CaseState};
use tocsin_domain::role::Action;
use tocsin_platform::clock::to_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use super::summary;
use crate::decode::Fields;
use crate::desk::Desk;
use crate::error::TriageError;
use crate::store::{cases, trail};
use crate::{answers, decode};

/// Answers the reporter.
pub(super) async fn answer_reporter(
    desk: &Desk,
    request: Request<wire::AnswerReporterRequest>,
) -> Result<wire::AnswerReporterResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::AskReporter).await?;
    let request = request.into_inner();
    let name = decode::case_name(&request.case)?;
    let mut fields = Fields::default();
    fields.text("text", &request.text);
    fields.finish("ANSWER_INVALID", Some(()))?;
    let now = desk.clock.now();

    let transaction = desk.database.begin().await?;
    let mut case = cases::lock(&transaction, &desk.vault, name).await?;
    if case.state()? == CaseState::Received {
        let says = "nobody has acknowledged this case yet; acknowledge it first";
        return Err(Failure::refused("NOT_ACKNOWLEDGED", says).into());
    }
    if request.question {
        case.act(CaseAction::AskForInformation)?;
    }
    let (answer_id, answer) = answers::tell(&transaction, &mut case, Some(&request.text), now).await?;
    let action = if request.question { "reporter_asked" } else { "reporter_answered" };
    trail::write(&transaction, &case, principal.actor.as_str(), action, &answer_id, to_ms(now)).await?;
    case.save(&transaction).await?;
    desk.outbox.record(&transaction, &[answer]).await?;
    let summary = summary::of(&transaction, &case).await?;
    tocsin_platform::database::commit(transaction, "triage.answer_reporter").await?;
    desk.outbox.wake();
    Ok(wire::AnswerReporterResponse { answer_id, summary: Some(summary) })
}

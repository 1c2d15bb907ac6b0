//! `AcknowledgeCase`: a person has seen it, which stops the clock of the first answer.

use tocsin_domain::case::{CaseAction, CaseState};
use tocsin_domain::role::{Action, Role};
use tocsin_platform::clock::to_ms;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use super::summary;
use crate::desk::Desk;
use crate::error::TriageError;
use crate::store::{cases, escalations, trail};
use crate::{answers, decode};

/// Acknowledges a case; one that was acknowledged already stays as it is.
pub(super) async fn acknowledge_case(
    desk: &Desk,
    request: Request<wire::AcknowledgeCaseRequest>,
) -> Result<wire::AcknowledgeCaseResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::AcknowledgeCase).await?;
    let request = request.into_inner();
    let name = decode::case_name(&request.case)?;
    let now = desk.clock.now();

    let transaction = desk.database.begin().await?;
    let mut case = cases::lock(&transaction, &desk.vault, name).await?;
    if case.state()? != CaseState::Received {
        let summary = summary::of(&transaction, &case).await?;
        tocsin_platform::database::commit(transaction, "triage.acknowledge_case").await?;
        return Ok(wire::AcknowledgeCaseResponse { summary: Some(summary) });
    }
    case.act(CaseAction::Acknowledge)?;
    case.row.acknowledged_at_ms = Some(to_ms(now));
    if principal.has_any(&[Role::Coordinator]) {
        case.take(&principal.actor, &principal.name);
    }
    escalations::close(&transaction, case.id(), "answered", to_ms(now)).await?;
    let (_, answer) = answers::tell(&transaction, &mut case, None, now).await?;
    trail::write(&transaction, &case, principal.actor.as_str(), "acknowledged", "", to_ms(now)).await?;
    case.save(&transaction).await?;
    desk.outbox.record(&transaction, &[answer]).await?;
    let summary = summary::of(&transaction, &case).await?;
    tocsin_platform::database::commit(transaction, "triage.acknowledge_case").await?;
    desk.outbox.wake();
    Ok(wire::AcknowledgeCaseResponse { summary: Some(summary) })
}

//! `StopCase`: the stop-action. What is queued ends withdrawn, and nothing of the case leaves until somebody drafts anew.

use tocsin_domain::role::Action;
use tocsin_platform::clock::to_ms;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use super::summary;
use crate::answers;
use crate::decode::{self, Fields};
use crate::desk::Desk;
use crate::error::TriageError;
use crate::store::{alerts, cases, drafts, trail};
use crate::withdrawal::{self, Reason};

/// Stops a case. Stopping it again withdraws nothing more.
pub(super) async fn stop_case(
    desk: &Desk,
    request: Request<wire::StopCaseRequest>,
) -> Result<wire::StopCaseResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::StopCase).await?;
    let request = request.into_inner();
    let name = decode::case_name(&request.case)?;
    let mut fields = Fields::default();
    fields.text("reason", &request.reason);
    fields.finish("STOP_INVALID", Some(()))?;
    let now = desk.clock.now();

    let transaction = desk.database.begin().await?;
    let mut case = cases::lock(&transaction, &desk.vault, name).await?;
    let mut out = alerts::of_case(&transaction, case.id()).await?;
    out.retain(|alert| alert.state == alerts::RELEASED);
    let mut events = withdrawal::withdraw(&transaction, &out, Reason::Stopped, now).await?;
    if let Some(mut draft) = drafts::current(&transaction, &case).await?
        && withdrawal::carry_over(&mut draft, Reason::Stopped)?
    {
        draft.save(&transaction).await?;
    }
    if case.row.stopped_at_ms.is_none() {
        case.row.stopped_at_ms = Some(to_ms(now));
        events.push(answers::tell(&transaction, &mut case, None, now).await?.1);
    }
    let actor = principal.actor.as_str();
    trail::write(&transaction, &case, actor, "case_stopped", &request.reason, to_ms(now)).await?;
    case.save(&transaction).await?;
    desk.outbox.record(&transaction, &events).await?;
    let summary = summary::of(&transaction, &case).await?;
    tocsin_platform::database::commit(transaction, "triage.stop_case").await?;
    desk.outbox.wake();
    Ok(wire::StopCaseResponse {
        summary: Some(summary),
        alert_ids: out.into_iter().map(|alert| alert.alert_id.to_string()).collect(),
    })
}

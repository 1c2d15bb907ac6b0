//! `SubmitForApproval`: two people are asked, within the time of the case's priority.

use chrono::{DateTime, TimeDelta, Utc};
use tocsin_domain::case::TrackAction;
use tocsin_domain::role::Action;
use tocsin_platform::clock::{from_ms, to_ms};
use tocsin_proto::convert::timestamp;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use crate::decode;
use crate::desk::Desk;
use crate::error::TriageError;
use crate::store::{cases, drafts, trail};

/// Submits the current draft.
pub(super) async fn submit_for_approval(
    desk: &Desk,
    request: Request<wire::SubmitForApprovalRequest>,
) -> Result<wire::SubmitForApprovalResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::SubmitForApproval).await?;
    let request = request.into_inner();
    let name = decode::case_name(&request.case)?;
    let now = desk.clock.now();

    let transaction = desk.database.begin().await?;
    let case = cases::lock(&transaction, &desk.vault, name).await?;
    case.not_stopped()?;
    let mut draft = drafts::required(&transaction, &case).await?;
    draft.act(TrackAction::SubmitForApproval)?;
    let hours = desk.config.clocks.of(case.priority()?).approvals_hours;
    let due_at = now.checked_add_signed(TimeDelta::hours(i64::from(hours))).unwrap_or(DateTime::<Utc>::MAX_UTC);
    draft.row.approvals_due_at_ms = Some(to_ms(due_at));
    draft.save(&transaction).await?;
    let detail = format!("version {}", draft.version());
    trail::write(&transaction, &case, principal.actor.as_str(), "submitted_for_approval", &detail, to_ms(now)).await?;
    tocsin_platform::database::commit(transaction, "triage.submit_for_approval").await?;
    Ok(wire::SubmitForApprovalResponse {
        draft: Some(draft.to_wire()),
        approvals_due_at: Some(timestamp(from_ms(to_ms(due_at)))),
    })
}

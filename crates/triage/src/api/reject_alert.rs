//! `RejectAlert`: somebody who may approve says no, with reasons; only a new version goes on.

use tocsin_domain::approval::{Approval, Decision};
use tocsin_domain::case::TrackAction;
use tocsin_domain::role::Action;
use tocsin_platform::clock::to_ms;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use super::approve_alert::{current_decisions, same_version};
use crate::decode::{self, Fields};
use crate::desk::Desk;
use crate::error::TriageError;
use crate::gate::Gate;
use crate::store::drafts::{self, Decided};
use crate::store::trail;

/// Rejects the version that was read.
pub(super) async fn reject_alert(
    desk: &Desk,
    request: Request<wire::RejectAlertRequest>,
) -> Result<wire::RejectAlertResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::Approve).await?;
    let request = request.into_inner();
    let name = decode::case_name(&request.case)?;
    let mut fields = Fields::default();
    fields.text("reason", &request.reason);
    fields.finish("REJECTION_INVALID", Some(()))?;
    let now = desk.clock.now();

    let transaction = desk.database.begin().await?;
    let mut gate = Gate::lock(&transaction, &desk.vault, name).await?;
    same_version(&gate, request.draft_version)?;
    gate.draft.act(TrackAction::Reject)?;
    let approval = Approval {
        approver: principal.actor.clone(),
        decision: Decision::Reject,
        at: now,
        draft_version: request.draft_version,
        delegated: None,
    };
    let decided = Decided::new(approval, &principal, &request.reason);
    drafts::decide(&transaction, &gate.case, &gate.draft, &decided, to_ms(now)).await?;
    gate.draft.save(&transaction).await?;
    let detail = format!("version {}", request.draft_version);
    trail::write(&transaction, &gate.case, principal.actor.as_str(), "rejected", &detail, to_ms(now)).await?;
    let approvals = current_decisions(&transaction, &gate).await?;
    tocsin_platform::database::commit(transaction, "triage.reject_alert").await?;
    Ok(wire::RejectAlertResponse { approvals, draft: Some(gate.draft.to_wire()) })
}

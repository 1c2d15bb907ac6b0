//! `ApproveAlert`: one of two people, neither the drafter nor a verifier, neither with a conflict of interest.

use tocsin_domain::approval::{Approval, ApprovalFault, Decision};
use tocsin_domain::case::{TrackAction, TrackState};
use tocsin_domain::role::Action;
use tocsin_platform::clock::to_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use crate::decode;
use crate::desk::Desk;
use crate::error::TriageError;
use crate::gate::Gate;
use crate::store::drafts::{self, Decided};
use crate::store::trail;

/// Approves the version that was read. Approving it again changes nothing: one person counts once.
pub(super) async fn approve_alert(
    desk: &Desk,
    request: Request<wire::ApproveAlertRequest>,
) -> Result<wire::ApproveAlertResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::Approve).await?;
    let request = request.into_inner();
    let name = decode::case_name(&request.case)?;
    let now = desk.clock.now();

    let transaction = desk.database.begin().await?;
    let mut gate = Gate::lock(&transaction, &desk.vault, name).await?;
    gate.case.not_stopped()?;
    same_version(&gate, request.draft_version)?;
    let approval = Approval {
        approver: principal.actor.clone(),
        decision: Decision::Approve,
        at: now,
        draft_version: request.draft_version,
        delegated: None,
    };
    let decided = Decided::new(approval, &principal, "");
    if let Some(fault) = gate.unfit(&decided) {
        return Err(unfit(&fault).into());
    }
    if !has_approved(&gate, &decided) {
        if gate.draft.state()? != TrackState::ApprovalPending {
            gate.draft.act(TrackAction::Approve)?;
        }
        if gate.approved_with(&decided) {
            gate.draft.act(TrackAction::Approve)?;
            gate.draft.save(&transaction).await?;
        }
        drafts::decide(&transaction, &gate.case, &gate.draft, &decided, to_ms(now)).await?;
        let detail = format!("version {}", request.draft_version);
        trail::write(&transaction, &gate.case, principal.actor.as_str(), "approved", &detail, to_ms(now)).await?;
    }
    let approvals = current_decisions(&transaction, &gate).await?;
    tocsin_platform::database::commit(transaction, "triage.approve_alert").await?;
    Ok(wire::ApproveAlertResponse { approvals, draft: Some(gate.draft.to_wire()) })
}

fn has_approved(gate: &Gate, decided: &Decided) -> bool {
    gate.decisions().iter().any(|known| {
        known.approval.approver == decided.approval.approver
            && known.approval.draft_version == decided.approval.draft_version
            && known.approval.decision == decided.approval.decision
    })
}

fn unfit(fault: &ApprovalFault) -> Failure {
    let (reason, says) = match fault {
        ApprovalFault::Drafted(_) => ("OWN_DRAFT", "you drafted this alert; somebody else must approve it"),
        ApprovalFault::Verified(_) => ("VERIFIED_CASE", "you verified this case; somebody else must approve the alert"),
        ApprovalFault::Conflict(_) => (
            "CONFLICT_OF_INTEREST",
            "your organisation or country is concerned by this case; somebody else must approve the alert",
        ),
        _ => ("APPROVAL_REFUSED", "this approval does not count; somebody else must approve the alert"),
    };
    Failure::refused(reason, says)
}

/// Refuses a decision on another version than the current one.
pub(super) fn same_version(gate: &Gate, read: u32) -> Result<(), Failure> {
    let current = gate.draft.version();
    if read == current {
        return Ok(());
    }
    let says = format!("the draft is at version {current}, not {read}; read it again before you decide");
    Err(Failure::refused("DRAFT_CHANGED", says))
}

/// The decisions on the current version, as they stand in the transaction.
pub(super) async fn current_decisions(
    transaction: &sea_orm::DatabaseTransaction,
    gate: &Gate,
) -> Result<Vec<wire::Approval>, TriageError> {
    let decisions = drafts::decisions(transaction, &gate.case).await?;
    let version = gate.draft.version();
    Ok(decisions.iter().filter(|decided| decided.approval.draft_version == version).map(Decided::to_wire).collect())
}

//! `DraftAlert`: a new version of the alert's text and routing; it voids the approvals of the last one.

use sea_orm::DatabaseTransaction;
use tocsin_domain::alert::Draft;
use tocsin_domain::case::CaseAction;
use tocsin_domain::role::Action;
use tocsin_platform::clock::to_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use crate::desk::Desk;
use crate::error::TriageError;
use crate::store::cases::{self, OpenCase};
use crate::store::{alerts, drafts, trail};
use crate::{answers, decode};

/// Drafts an alert.
pub(super) async fn draft_alert(
    desk: &Desk,
    request: Request<wire::DraftAlertRequest>,
) -> Result<wire::DraftAlertResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::WriteDraft).await?;
    let request = request.into_inner();
    let name = decode::case_name(&request.case)?;
    let given = decode::present("draft", request.draft)?;
    let draft = decode::draft::draft(&given)?;
    let now = desk.clock.now();

    let transaction = desk.database.begin().await?;
    let mut case = cases::lock(&transaction, &desk.vault, name).await?;
    let before = answers::state_for_reporter(&case)?;
    case.act(CaseAction::Draft)?;
    case.take(&principal.actor, &principal.name);
    case.row.stopped_at_ms = None;
    let number = next_version(&transaction, &case, &draft).await?;
    let content = decode::draft::to_wire(&draft);
    let drafted = drafts::add(&transaction, &case, number, &principal.actor, content, to_ms(now)).await?;
    let detail = format!("version {number}, {} {}", draft.track, draft.tlp);
    trail::write(&transaction, &case, principal.actor.as_str(), "alert_drafted", &detail, to_ms(now)).await?;
    if answers::state_for_reporter(&case)? != before {
        let (_, answer) = answers::tell(&transaction, &mut case, None, now).await?;
        desk.outbox.record(&transaction, &[answer]).await?;
    }
    case.save(&transaction).await?;
    tocsin_platform::database::commit(transaction, "triage.draft_alert").await?;
    desk.outbox.wake();
    Ok(wire::DraftAlertResponse { draft: Some(drafted.to_wire()) })
}

/// The number of the new version. A draft that is out is never revised: another track begins beside it, and the same
/// track only after it was called back.
async fn next_version(transaction: &DatabaseTransaction, case: &OpenCase, draft: &Draft) -> Result<i32, TriageError> {
    let Some(last) = drafts::current(transaction, case).await? else { return Ok(1) };
    if last.state()?.is_out() {
        let released = alerts::of_case(transaction, case.id()).await?;
        let out =
            released.iter().any(|alert| alert.state == alerts::RELEASED && alert.draft_version == last.row.version);
        if out && last.content.track == draft.track.as_str() {
            let says = "an alert of this track is out; stop it first, or draft another track";
            return Err(Failure::refused("TRACK_RELEASED", says).into());
        }
    }
    Ok(last.row.version.saturating_add(1))
}

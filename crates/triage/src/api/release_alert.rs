//! `ReleaseAlert`: the gate. It asks dispatch for the audience, decides, and either releases or records every refusal.

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;
use tocsin_domain::audience::Audience;
use tocsin_domain::release::Refusal;
use tocsin_domain::role::Action;
use tocsin_platform::clock::to_ms;
use tocsin_platform::credentials::Principal;
use tocsin_platform::fail_points::reach;
use tocsin_platform::failure::Failure;
use tocsin_platform::seal::PublicSealingKey;
use tocsin_platform::sealing_keys;
use tocsin_proto::catalogue::Service;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use crate::desk::Desk;
use crate::error::TriageError;
use crate::gate::Gate;
use crate::release::{self, Releasing};
use crate::store::trail;
use crate::{decode, peers};

/// Releases an alert, or answers with every refusal.
pub(super) async fn release_alert(
    desk: &Desk,
    request: Request<wire::ReleaseAlertRequest>,
) -> Result<wire::ReleaseAlertResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::Release).await?;
    let (caller, _, request) = request.into_parts();
    let name = decode::case_name(&request.case)?;
    let before = Gate::read(desk.database.reader(), &desk.vault, name).await?;
    before.open()?;
    let audience = peers::audience(&desk.peers.audience(&caller, before.audience_question()).await?)?;
    let dispatch_key =
        sealing_keys::newest(desk.database.reader(), Service::Dispatch).await?.ok_or_else(key_missing)?;

    reach("triage.audience_asked");
    let transaction = desk.database.begin().await?;
    let mut gate = Gate::lock(&transaction, &desk.vault, &before.case.id().to_string()).await?;
    gate.open()?;
    if gate.fingerprint() != before.fingerprint() {
        let says = "the case changed while dispatch was asked; look at it again, then release";
        return Err(Failure::aborted("CASE_CHANGED", says).into());
    }
    gate.alert.drill = request.drill;
    let now = desk.clock.now();
    let response = match gate.decide(&audience, now) {
        Ok(plan) => {
            let releasing = Releasing { principal: &principal, audience: &audience, plan: &plan, now };
            commit_release(desk, &transaction, gate, &releasing, &dispatch_key).await?
        }
        Err(refusals) => record_refusals(&transaction, &gate, &principal, &audience, &refusals, now).await?,
    };
    tocsin_platform::database::commit(transaction, "triage.release_alert").await?;
    desk.outbox.wake();
    Ok(response)
}

async fn commit_release(
    desk: &Desk,
    transaction: &DatabaseTransaction,
    mut gate: Gate,
    releasing: &Releasing<'_>,
    dispatch_key: &PublicSealingKey,
) -> Result<wire::ReleaseAlertResponse, TriageError> {
    let released = release::release(desk, transaction, &mut gate, releasing, dispatch_key).await?;
    desk.outbox.record(transaction, &released.events).await?;
    Ok(released.response)
}

async fn record_refusals(
    transaction: &DatabaseTransaction,
    gate: &Gate,
    principal: &Principal,
    audience: &Audience,
    refusals: &[Refusal],
    now: DateTime<Utc>,
) -> Result<wire::ReleaseAlertResponse, TriageError> {
    let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    let detail =
        format!("version {}, {} organisations: {}", gate.draft.version(), audience.chosen.len(), refusals.join("; "));
    trail::write(transaction, &gate.case, principal.actor.as_str(), "release_refused", &detail, to_ms(now)).await?;
    Ok(wire::ReleaseAlertResponse { released: false, refusals, ..wire::ReleaseAlertResponse::default() })
}

fn key_missing() -> Failure {
    Failure::unavailable("SEALING_KEY_MISSING", "dispatch has not said its sealing key yet; try again shortly")
        .retry_after(std::time::Duration::from_secs(1))
}

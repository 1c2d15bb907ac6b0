//! `RecordConsent`: a new, immutable version. One that withdraws or refuses what a release relied on calls it back.

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;
use tocsin_domain::case::CaseAction;
use tocsin_domain::codes::ConsentStatus;
use tocsin_domain::consent::ConsentRecord;
use tocsin_domain::id::ConsentId;
use tocsin_domain::role::Action;
use tocsin_platform::clock::to_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::timestamp;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use crate::desk::Desk;
use crate::entity::alert::released;
use crate::error::TriageError;
use crate::store::cases::OpenCase;
use crate::store::{alerts, cases, drafts, findings, small, trail};
use crate::withdrawal::{self, Reason};
use crate::{answers, decode};

/// More records than any case needs; a longer list is a mistake.
const CONSENTS_MAX: usize = 1_000;

/// Records a consent.
pub(super) async fn record_consent(
    desk: &Desk,
    request: Request<wire::RecordConsentRequest>,
) -> Result<wire::RecordConsentResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::RecordConsent).await?;
    let request = request.into_inner();
    let name = decode::case_name(&request.case)?;
    let given = decode::present("consent", request.consent)?;
    let record = decode::consent::consent(&given)?;
    let now = desk.clock.now();

    let transaction = desk.database.begin().await?;
    let mut case = cases::lock(&transaction, &desk.vault, name).await?;
    let known = findings::consents(&transaction, &case).await?;
    if known.len() >= CONSENTS_MAX {
        let says = format!("a case holds at most {CONSENTS_MAX} consent records");
        return Err(Failure::refused("CONSENTS_FULL", says).into());
    }
    let before = answers::state_for_reporter(&case)?;
    let called_back = relying_on(&transaction, &case, &known, &record).await?;
    case.act(if called_back.is_empty() { CaseAction::RecordConsent } else { CaseAction::WithdrawConsent })?;

    let id = ConsentId::new(now);
    let stored = wire::ConsentRecord {
        consent_id: id.to_string(),
        // Counts the records of the case, so that a release names the very one it relied on.
        version: u32::try_from(small(known.len())).unwrap_or(0).saturating_add(1),
        recorded_by: principal.actor.to_string(),
        recorded_at: Some(timestamp(now)),
        ..decode::consent::to_wire(&record)
    };
    findings::add_consent(&transaction, &case, id, known.len(), &stored, to_ms(now)).await?;
    let detail = format!("{} {} {}", record.purpose, record.audience, record.status);
    trail::write(&transaction, &case, principal.actor.as_str(), "consent_recorded", &detail, to_ms(now)).await?;
    call_back(desk, &transaction, &case, &called_back, now).await?;
    if answers::state_for_reporter(&case)? != before {
        let (_, answer) = answers::tell(&transaction, &mut case, None, now).await?;
        desk.outbox.record(&transaction, &[answer]).await?;
    }
    case.save(&transaction).await?;
    tocsin_platform::database::commit(transaction, "triage.record_consent").await?;
    desk.outbox.wake();
    Ok(wire::RecordConsentResponse { consent: Some(stored) })
}

/// The alerts that are out and relied on a record of this purpose, if the new record takes it away. Anyone's refusal or
/// withdrawal for a purpose defeats it, so whose record it was does not matter.
async fn relying_on(
    transaction: &DatabaseTransaction,
    case: &OpenCase,
    known: &[wire::ConsentRecord],
    record: &ConsentRecord,
) -> Result<Vec<released::Model>, TriageError> {
    if !matches!(record.status, ConsentStatus::Withdrawn | ConsentStatus::Refused) {
        return Ok(Vec::new());
    }
    let mut out = alerts::of_case(transaction, case.id()).await?;
    out.retain(|alert| alert.state == alerts::RELEASED);
    let relied = alerts::consents_of(transaction, &out).await?;
    let purpose = record.purpose.as_str();
    let is_hit = |consent: &uuid::Uuid| {
        let id = consent.to_string();
        known.iter().any(|one| one.consent_id == id && one.purpose == purpose)
    };
    out.retain(|alert| relied.get(&alert.alert_id).is_some_and(|consents| consents.iter().any(is_hit)));
    Ok(out)
}

async fn call_back(
    desk: &Desk,
    transaction: &DatabaseTransaction,
    case: &OpenCase,
    called_back: &[released::Model],
    now: DateTime<Utc>,
) -> Result<(), TriageError> {
    if called_back.is_empty() {
        return Ok(());
    }
    let events = withdrawal::withdraw(transaction, called_back, Reason::ConsentWithdrawn, now).await?;
    desk.outbox.record(transaction, &events).await?;
    if let Some(mut draft) = drafts::current(transaction, case).await?
        && called_back.iter().any(|alert| alert.draft_version == draft.row.version)
        && withdrawal::carry_over(&mut draft, Reason::ConsentWithdrawn)?
    {
        draft.save(transaction).await?;
    }
    let detail = called_back.iter().map(|alert| alert.alert_id.to_string()).collect::<Vec<_>>().join(" ");
    trail::write(transaction, case, trail::SYSTEM, "alert_withdrawn", &detail, to_ms(now)).await
}

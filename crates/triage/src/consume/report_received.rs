//! `report.received`: a case opens, its clocks start, a duty officer is paged and the reporter gets the first answer.

use chrono::{DateTime, Utc};
use prost::Message;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, IntoActiveModel};
use tocsin_domain::case::CaseState;
use tocsin_domain::id::{CaseId, ReportId};
use tocsin_domain::language::Language;
use tocsin_domain::priority::{Priority, provisional};
use tocsin_domain::report::Report;
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use tocsin_platform::fail_points::reach;
use tocsin_platform::seal::{self, DataKey, Encrypted, PublicSealingKey, Sealed};
use tocsin_proto::convert::{from_timestamp, report_from_wire};
use tocsin_proto::event::v1::ReportReceived;
use tocsin_proto::intake::v1 as intake;

use crate::desk::Desk;
use crate::entity::case::{content, file};
use crate::error::TriageError;
use crate::sealed::{self, CaseFacts};
use crate::store::alerts;
use crate::store::cases::{self, OpenCase, facts_place, report_place};
use crate::store::messages::{self, Author};
use crate::store::trail;
use crate::vault::VaultError;
use crate::{answers, consume, pages};

pub(super) async fn consume(
    desk: &Desk,
    transaction: &DatabaseTransaction,
    event: ReportReceived,
) -> Result<(), TriageError> {
    let report_id = ReportId::from_uuid(consume::id(&event.report_id)?);
    if cases::of_report(transaction, report_id.as_uuid()).await?.is_some() {
        return Ok(());
    }
    // The clocks that start now are read by every process.
    let now = agreed_now(transaction, &desk.clock).await?;
    let received_at = from_timestamp(event.received_at.as_ref()).ok_or(TriageError::Foreign("a moment in an event"))?;
    let sealed: Sealed = event.content.ok_or(TriageError::Foreign("a report without content"))?.into();
    let receipt_key = event.receipt_key.ok_or(TriageError::Foreign("a report without a receipt key"))?;
    let receipt_key = PublicSealingKey::from_bytes(&receipt_key.key)?;
    let place = report_place(report_id.as_uuid());
    let key = report_key(desk, report_id, &place, &sealed).await?;
    let report = opened(&key, &place, &sealed)?;
    // The key store comes first: a case whose key is nowhere could never be read, a key without a case harms nothing.
    desk.vault.keep_data_key(report_id, &key, to_ms(now)).await?;
    reach("triage.data_key_kept");

    let date = report.adversary_date.as_ref().map(|date| date.at);
    let priority = provisional(&report.kinds, date, now);
    let reference = alerts::next_reference(transaction, &desk.vault, report.country, now).await?;
    let mut case = opening(report_id, key, priority, received_at, now, &receipt_key)?;
    case.row.reference_hash = alerts::reference_hash(&desk.vault, &reference);
    case.facts.reference = reference.to_string();
    case.row.clone().into_active_model().reset_all().insert(transaction).await?;
    keep_content(transaction, report_id, sealed).await?;
    trail::write(transaction, &case, trail::SYSTEM, "report_received", priority.as_str(), to_ms(now)).await?;

    let page = pages::ring(transaction, &desk.config, &case, true, now).await?;
    let language = report.reporter.language.spoken().unwrap_or(Language::En);
    let text = answers::received_text(language, desk.config.clocks.of(priority).answer_minutes);
    let (_, answer) = answers::tell(transaction, &mut case, Some(&text), now).await?;
    adopt_early(desk, transaction, &case).await?;
    case.save(transaction).await?;
    desk.outbox.record(transaction, &[page, answer]).await?;
    Ok(())
}

/// The key store may hold the key already: from an attempt that failed after it was kept, or because only triage's
/// other database was restored. Then the report opens even if the pair it is sealed to is gone.
async fn report_key(desk: &Desk, report: ReportId, place: &str, sealed: &Sealed) -> Result<DataKey, TriageError> {
    match desk.vault.data_key(report.as_uuid()).await {
        Err(VaultError::Shredded) => consume::data_key(desk, place, sealed).await,
        kept => Ok(kept?),
    }
}

fn opened(key: &DataKey, place: &str, sealed: &Sealed) -> Result<Report, TriageError> {
    let bytes = seal::open_with(key, place, sealed)?;
    let foreign = TriageError::Foreign("the content of a report");
    let Ok(report) = intake::Report::decode(bytes.as_slice()) else { return Err(foreign) };
    report_from_wire(&report).map_err(|_| foreign)
}

fn opening(
    report_id: ReportId,
    key: DataKey,
    priority: Priority,
    received_at: DateTime<Utc>,
    now: DateTime<Utc>,
    receipt_key: &PublicSealingKey,
) -> Result<OpenCase, TriageError> {
    let case_id = CaseId::new(now).as_uuid();
    let facts = CaseFacts::default();
    let row = file::Model {
        case_id,
        report_id: report_id.as_uuid(),
        state: CaseState::Received.to_string(),
        priority: priority.to_string(),
        assessed: false,
        received_at_ms: to_ms(received_at),
        acknowledged_at_ms: None,
        coordinator: None,
        answer_version: 0,
        stopped_at_ms: None,
        receipt_key: receipt_key.bytes.clone(),
        reference_hash: Vec::new(),
        sealed: sealed::close(&key, &facts_place(case_id), &facts)?,
    };
    Ok(OpenCase { row, key, facts })
}

/// The ciphertext as it came, without the wrapped key: that one would open it for whoever holds triage's old pair.
async fn keep_content(
    transaction: &DatabaseTransaction,
    report_id: ReportId,
    content: Sealed,
) -> Result<(), TriageError> {
    let encrypted = Encrypted { nonce: content.nonce, ciphertext: content.ciphertext };
    let row = content::ActiveModel { report_id: Set(report_id.as_uuid()), sealed: Set(sealed::joined(&encrypted)) };
    row.insert(transaction).await?;
    Ok(())
}

/// Messages that overtook their report.
async fn adopt_early(desk: &Desk, transaction: &DatabaseTransaction, case: &OpenCase) -> Result<(), TriageError> {
    for early in messages::take_early(transaction, case.row.report_id).await? {
        let sealed = Sealed::from_bytes(&early.sealed)?;
        let place = super::message_received::place(early.message_id);
        let key = consume::data_key(desk, &place, &sealed).await?;
        let text = super::message_received::text(&key, &place, &sealed)?;
        messages::add(transaction, case, early.message_id, Author::Reporter, &text, early.at_ms).await?;
    }
    Ok(())
}

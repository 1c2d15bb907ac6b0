//! `RecordSource`: who said it, how far they can be trusted, and whether they only relay another.

use tocsin_domain::case::CaseAction;
use tocsin_domain::id::SourceId;
use tocsin_domain::role::Action;
use tocsin_domain::verification::{independent_sources, sufficient};
use tocsin_platform::clock::to_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use crate::desk::Desk;
use crate::error::TriageError;
use crate::store::{cases, findings, trail};
use crate::{answers, decode};

/// More sources than any case needs; a longer list is a mistake.
const SOURCES_MAX: usize = 500;

/// Records a source and says how many independent ones there are now.
pub(super) async fn record_source(
    desk: &Desk,
    request: Request<wire::RecordSourceRequest>,
) -> Result<wire::RecordSourceResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::RecordSource).await?;
    let request = request.into_inner();
    let name = decode::case_name(&request.case)?;
    let given = decode::present("source", request.source)?;
    let now = desk.clock.now();

    let transaction = desk.database.begin().await?;
    let mut case = cases::lock(&transaction, &desk.vault, name).await?;
    let mut known = findings::sources(&transaction, &case).await?;
    let source = decode::source::source(&given, &known)?;
    if known.len() >= SOURCES_MAX {
        return Err(Failure::refused("SOURCES_FULL", format!("a case holds at most {SOURCES_MAX} sources")).into());
    }
    let before = answers::state_for_reporter(&case)?;
    case.act(CaseAction::RecordSource)?;
    let id = SourceId::new(now);
    let stored = wire::Source {
        source_id: id.to_string(),
        link: source.link.to_string(),
        reliability: source.reliability.to_string(),
        information: source.information.to_string(),
        first_hand: source.first_hand,
        relays_source_id: given.relays_source_id,
        recorded_by: principal.actor.to_string(),
    };
    findings::add_source(&transaction, &case, id, known.len(), &stored, to_ms(now)).await?;
    known.push(stored.clone());
    let all = decode::source::sources(&known).map_err(|_| TriageError::Foreign("a stored source"))?;
    trail::write(&transaction, &case, principal.actor.as_str(), "source_recorded", &stored.source_id, to_ms(now))
        .await?;
    if answers::state_for_reporter(&case)? != before {
        let (_, answer) = answers::tell(&transaction, &mut case, None, now).await?;
        desk.outbox.record(&transaction, &[answer]).await?;
    }
    case.save(&transaction).await?;
    tocsin_platform::database::commit(transaction, "triage.record_source").await?;
    desk.outbox.wake();
    Ok(wire::RecordSourceResponse {
        source: Some(stored),
        independent_sources: u32::try_from(independent_sources(&all)).unwrap_or(u32::MAX),
        sources_sufficient: sufficient(case.priority()?, &all),
    })
}

//! `GetCase`: everything about a case, opened for those who may read it. Each reading is in the audit trail.

use tocsin_domain::adversary::{missed_steps, release_by};
use tocsin_domain::role::Action;
use tocsin_domain::verification::{independent_sources, sufficient};
use tocsin_platform::clock::from_ms;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use super::{onlookers, summary};
use crate::decode;
use crate::desk::Desk;
use crate::error::TriageError;
use crate::store::cases::{self, OpenCase};
use crate::store::drafts::{self, Decided};
use crate::store::{alerts, findings, messages, trail};

/// Entries of the audit trail whose detail a person typed.
const TYPED_DETAILS: [&str; 1] = ["case_stopped"];

/// Opens a case.
pub(super) async fn get_case(
    desk: &Desk,
    request: Request<wire::GetCaseRequest>,
) -> Result<wire::GetCaseResponse, TriageError> {
    let principal = desk.credentials.require(request.metadata(), &onlookers()).await?;
    let request = request.into_inner();
    let name = decode::case_name(&request.case)?;
    let reader = desk.database.reader();
    let case = cases::find(reader, &desk.vault, name).await?;
    let reads_content = principal.may(Action::ReadCase);
    let mut response = read(desk, &case).await?;
    if !reads_content {
        withhold(&mut response);
    }
    // Committed before anything is shown: a reading that could not be recorded does not happen.
    let action = if reads_content { "content_read" } else { "trail_read" };
    let transaction = desk.database.begin().await?;
    trail::write(&transaction, &case, principal.actor.as_str(), action, "", desk.clock.now_ms()).await?;
    tocsin_platform::database::commit(transaction, "triage.get_case").await?;
    Ok(response)
}

async fn read(desk: &Desk, case: &OpenCase) -> Result<wire::GetCaseResponse, TriageError> {
    let reader = desk.database.reader();
    let released = alerts::of_case(reader, case.id()).await?;
    let sources = findings::sources(reader, case).await?;
    let domain_sources = decode::source::sources(&sources).map_err(|_| TriageError::Foreign("a stored source"))?;
    let (assessment, _) = findings::last_assessment(reader, case).await?;
    let decisions = drafts::decisions(reader, case).await?;
    let (release_by, missed_steps) = backwards(desk, case, assessment.as_ref()).await?;
    Ok(wire::GetCaseResponse {
        summary: Some(summary::of(reader, case).await?),
        report: Some(case.report(reader).await?),
        messages: messages::read(reader, case).await?,
        independent_sources: u32::try_from(independent_sources(&domain_sources)).unwrap_or(u32::MAX),
        sources_sufficient: sufficient(case.priority()?, &domain_sources),
        sources,
        assessment,
        consents: findings::consents(reader, case).await?,
        draft: drafts::current(reader, case).await?.map(|draft| draft.to_wire()),
        approvals: decisions.iter().map(Decided::to_wire).collect(),
        release_by,
        missed_steps,
        audit: trail::read(reader, case).await?,
        alerts: alerts::to_wire(case, &released)?,
        responses: alerts::responses(reader, &released).await?,
    })
}

/// The adversary's date set backwards, and the steps that the plan, begun at the assessment or else at receipt, misses.
async fn backwards(
    desk: &Desk,
    case: &OpenCase,
    assessment: Option<&wire::Assessment>,
) -> Result<(String, Vec<String>), TriageError> {
    let report = case.domain_report(desk.database.reader()).await?;
    let Some(date) = report.adversary_date else { return Ok((String::new(), Vec::new())) };
    let by = release_by(&date, &desk.config.leads);
    let begun =
        assessment.and_then(|assessment| tocsin_proto::convert::from_timestamp(assessment.assessed_at.as_ref()));
    let begun = begun.unwrap_or_else(|| from_ms(case.row.received_at_ms));
    let missed = missed_steps(case.priority()?, begun, by, &desk.config.clocks);
    Ok((by.to_rfc3339(), missed.into_iter().map(|missed| missed.step.to_string()).collect()))
}

/// Leaves ids, codes, states and times, and takes away everything that was typed.
fn withhold(response: &mut wire::GetCaseResponse) {
    response.report = None;
    response.messages.clear();
    response.draft = None;
    if let Some(assessment) = &mut response.assessment {
        assessment.changed_reason.clear();
    }
    for approval in &mut response.approvals {
        approval.reason.clear();
    }
    for consent in &mut response.consents {
        consent.reason.clear();
        consent.limits = None;
    }
    for entry in &mut response.audit {
        if TYPED_DETAILS.contains(&entry.action.as_str()) {
            entry.detail.clear();
        }
    }
}

//! `AssessCase`: the score with every contribution, and what the adversary's date leaves time for.

use chrono::{DateTime, Utc};
use tocsin_domain::adversary::{missed_steps, release_by};
use tocsin_domain::case::CaseAction;
use tocsin_domain::priority::Priority;
use tocsin_domain::role::Action;
use tocsin_domain::score::{FactorOutOfRange, Score, score};
use tocsin_platform::clock::to_ms;
use tocsin_platform::credentials::Principal;
use tocsin_platform::database::agreed_now;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::timestamp;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use super::summary;
use crate::decode::assessment::Assessing;
use crate::desk::Desk;
use crate::error::TriageError;
use crate::store::{cases, findings, trail};
use crate::{answers, decode, pages};

/// Assesses a case. A higher band than before raises the alarm again.
pub(super) async fn assess_case(
    desk: &Desk,
    request: Request<wire::AssessCaseRequest>,
) -> Result<wire::AssessCaseResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::Assess).await?;
    let request = request.into_inner();
    let name = decode::case_name(&request.case)?;
    let assessing = decode::assessment::assessing(&request)?;

    let transaction = desk.database.begin().await?;
    // The clocks of a new alarm are read by every process.
    let now = agreed_now(&transaction, &desk.clock).await?;
    let mut case = cases::lock(&transaction, &desk.vault, name).await?;
    let report = case.domain_report(&transaction).await?;
    let score = score(&assessing.factors, &report.kinds, &assessing.overrides, &desk.config.weights)
        .map_err(|error| out_of_range(&error))?;
    let before = (case.priority()?, answers::state_for_reporter(&case)?);
    case.act(CaseAction::Assess)?;
    let priority = assessing.changed.as_ref().map_or(score.priority, |(priority, _)| *priority);
    case.row.priority = priority.to_string();
    case.row.assessed = true;
    case.take(&principal.actor, &principal.name);
    let (_, position) = findings::last_assessment(&transaction, &case).await?;
    let assessment = stored(&score, priority, &assessing, &principal, now);
    findings::add_assessment(&transaction, &case, position, &assessment, to_ms(now)).await?;

    let mut events = Vec::new();
    if priority < before.0 {
        let unanswered = case.row.acknowledged_at_ms.is_none();
        events.push(pages::ring(&transaction, &desk.config, &case, unanswered, now).await?);
    }
    if answers::state_for_reporter(&case)? != before.1 {
        events.push(answers::tell(&transaction, &mut case, None, now).await?.1);
    }
    let detail = format!("score {}, {priority}", score.total);
    trail::write(&transaction, &case, principal.actor.as_str(), "assessed", &detail, to_ms(now)).await?;
    case.save(&transaction).await?;
    desk.outbox.record(&transaction, &events).await?;
    let summary = summary::of(&transaction, &case).await?;
    tocsin_platform::database::commit(transaction, "triage.assess_case").await?;
    desk.outbox.wake();
    desk.escalations.wake();
    let by = report.adversary_date.as_ref().map(|date| release_by(date, &desk.config.leads));
    let missed = by.map(|by| missed_steps(priority, now, by, &desk.config.clocks)).unwrap_or_default();
    Ok(wire::AssessCaseResponse {
        assessment: Some(assessment),
        summary: Some(summary),
        release_by: by.map(|by| by.to_rfc3339()).unwrap_or_default(),
        missed_steps: missed.into_iter().map(|missed| missed.step.to_string()).collect(),
    })
}

fn out_of_range(error: &FactorOutOfRange) -> Failure {
    Failure::invalid("ASSESSMENT_INVALID", "one field is wrong; correct it and send the request again")
        .field(format!("factors.{}", error.field), error.to_string())
}

fn stored(
    score: &Score,
    priority: Priority,
    assessing: &Assessing,
    principal: &Principal,
    now: DateTime<Utc>,
) -> wire::Assessment {
    wire::Assessment {
        score: score.total,
        priority: priority.to_string(),
        claim: assessing.claim.to_string(),
        contributions: score
            .contributions
            .iter()
            .map(|contribution| wire::Contribution {
                name: contribution.name.clone(),
                points: contribution.points,
                maximum: contribution.maximum,
                explanation: contribution.explanation.clone(),
            })
            .collect(),
        overrides: score.overrides.clone(),
        weights_version: score.weights_version.clone(),
        changed_reason: assessing.changed.as_ref().map(|(_, reason)| reason.clone()).unwrap_or_default(),
        assessed_by: principal.actor.to_string(),
        assessed_at: Some(timestamp(now)),
    }
}

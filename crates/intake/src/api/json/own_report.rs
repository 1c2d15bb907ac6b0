//! `GET /v1/reports/mine`: what the network answered to the report that the receipt opens.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use tocsin_platform::failure::Failure;

use super::schema::{Answer, OwnMessage, OwnReport, Problem};
use super::{body, moment};
use crate::api::get_report;
use crate::intake::Intake;

/// Shows the state of a report and the answers to it.
#[utoipa::path(
    get,
    path = "/v1/reports/mine",
    tag = "reports",
    security(("receipt" = [])),
    responses(
        (status = 200, description = "The report as far as the reporter may know", body = OwnReport),
        (status = 401, description = "No receipt, or not eight known words", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No report has this receipt", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(State(intake): State<Arc<Intake>>, headers: HeaderMap) -> Result<Response, Failure> {
    let receipt = body::receipt(&headers)?;
    let found = get_report::get(&intake, &receipt).await?;
    let shown = OwnReport {
        report_id: found.report_id,
        received_at: moment(found.received_at.as_ref()),
        state: found.state,
        answers: found
            .answers
            .into_iter()
            .map(|answer| Answer {
                answer_id: answer.answer_id,
                answered_at: moment(answer.answered_at.as_ref()),
                text: answer.text,
            })
            .collect(),
        messages: found
            .messages
            .into_iter()
            .map(|message| OwnMessage {
                message_id: message.message_id,
                received_at: moment(message.received_at.as_ref()),
            })
            .collect(),
    };
    Ok(([("cache-control", "no-store")], Json(shown)).into_response())
}

//! `POST /v1/reports`: submits a report.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tocsin_platform::failure::Failure;

use super::schema::{Problem, Report, ReportAccepted};
use super::{body, moment, report};
use crate::api::submit_report;
use crate::intake::Intake;

/// Submits a report. Answered only after it is durable.
#[utoipa::path(
    post,
    path = "/v1/reports",
    tag = "reports",
    params(("Idempotency-Key" = String, Header, description = "8 to 128 visible ASCII characters, best a random UUID. The same key with the same report gets the first answer again.", min_length = 8, max_length = 128)),
    request_body = Report,
    responses(
        (status = 201, description = "The report is durable; the receipt is shown once", body = ReportAccepted),
        (status = 400, description = "Something is wrong; every wrong field is named", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The first request with this key is still being worked on", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More than 64 KiB of text, or a body over the limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not application/json", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The key was used with another report", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Something needed is away; try again after the time in Retry-After", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn submit(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let key = body::idempotency_key(&headers)?;
    let body = body::read(&intake, &headers, body).await?;
    let (report, shape) = report::read(&body.value);
    let answer = submit_report::submit(&intake, &report, &key, shape, "").await?;
    let accepted = ReportAccepted {
        report_id: answer.report_id,
        receipt: answer.receipt,
        received_at: moment(answer.received_at.as_ref()),
    };
    Ok((StatusCode::CREATED, [("cache-control", "no-store")], Json(accepted)).into_response())
}

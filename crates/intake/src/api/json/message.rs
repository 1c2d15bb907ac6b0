//! `POST /v1/reports/mine/messages`: adds a message to the report that the receipt opens.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tocsin_platform::failure::Failure;

use super::reader::Reader;
use super::schema::{Message, MessageAccepted, Problem};
use super::{body, moment};
use crate::api::add_message;
use crate::intake::Intake;

/// Adds a message. Answered only after it is durable.
#[utoipa::path(
    post,
    path = "/v1/reports/mine/messages",
    tag = "reports",
    params(("Idempotency-Key" = String, Header, description = "8 to 128 visible ASCII characters, best a random UUID", min_length = 8, max_length = 128)),
    request_body = Message,
    security(("receipt" = [])),
    responses(
        (status = 201, description = "The message is durable", body = MessageAccepted),
        (status = 400, description = "Something is wrong; every wrong field is named", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No receipt, or not eight known words", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No report has this receipt", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "In progress, or the report has as many messages as it may", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too much text", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The key was used with another message", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn add(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let receipt = body::receipt(&headers)?;
    let key = body::idempotency_key(&headers)?;
    let body = body::read(&intake, &headers, body).await?;
    let mut reader = Reader::default();
    let object = reader.body(&body.value, &["text"]);
    let text = reader.text(&object, "text");
    let answer = add_message::add(&intake, &receipt, &text, &key, reader.into_violations()).await?;
    let accepted = MessageAccepted { message_id: answer.message_id, received_at: moment(answer.received_at.as_ref()) };
    Ok((StatusCode::CREATED, Json(accepted)).into_response())
}

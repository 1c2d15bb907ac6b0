//! What comes with a request: its headers and its body, both limited.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use serde_json::Value;
use tocsin_platform::failure::{Failure, FailureCode};
use tokio::sync::SemaphorePermit;

use super::strict;
use crate::idempotency::IdempotencyKey;
use crate::intake::Intake;

/// A body in memory, and the permit that lets it be there.
pub(super) struct JsonBody<'a> {
    pub(super) value: Value,
    _room: SemaphorePermit<'a>,
}

/// Reads a JSON body: the right content type, no larger than the limit, within its time.
pub(super) async fn read<'a>(intake: &'a Intake, headers: &HeaderMap, body: Body) -> Result<JsonBody<'a>, Failure> {
    require_json(headers)?;
    let max = intake.config.body_bytes_max;
    let announced = announced_length(headers);
    if announced.is_some_and(|bytes| bytes > max) {
        return Err(too_large(max));
    }
    let room = intake.room_for(announced.unwrap_or(max)).await?;
    let time = Duration::from_secs(intake.config.body_seconds_max);
    let arrived = tokio::time::timeout(time, to_bytes(body, max)).await.map_err(|_| {
        Failure::timed_out(
            "BODY_TOO_SLOW",
            format!("the body did not arrive within {} s; send it again", time.as_secs()),
        )
    })?;
    let bytes = arrived.map_err(|error| unreadable(error, max))?;
    Ok(JsonBody { value: strict::parse(&bytes)?, _room: room })
}

/// The header `Idempotency-Key`.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<IdempotencyKey, Failure> {
    let given = headers.get("idempotency-key").map(HeaderValue::as_bytes).unwrap_or_default();
    // A key that is not ASCII cannot be right, and its replacement characters are refused like it.
    IdempotencyKey::parse(&String::from_utf8_lossy(given), "the header Idempotency-Key")
}

/// The receipt out of `Authorization: Bearer <eight words>`.
pub(super) fn receipt(headers: &HeaderMap) -> Result<String, Failure> {
    let missing = || {
        Failure::unauthenticated(
            "RECEIPT_MISSING",
            "send the receipt as the header Authorization: Bearer followed by its eight words, with spaces or hyphens between",
        )
    };
    let given = headers.get(AUTHORIZATION).ok_or_else(missing)?;
    let text = String::from_utf8_lossy(given.as_bytes());
    let (scheme, words) = text.trim().split_once(char::is_whitespace).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(words.to_owned()) } else { Err(missing()) }
}

fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    let charset = given.split(';').skip(1).map(str::trim).find_map(|parameter| parameter.strip_prefix("charset="));
    let utf8 = charset.is_none_or(|charset| charset.trim_matches('"').eq_ignore_ascii_case("utf-8"));
    if media_type.eq_ignore_ascii_case("application/json") && utf8 {
        return Ok(());
    }
    Err(Failure::new(
        FailureCode::UnsupportedMedia,
        "CONTENT_TYPE_UNSUPPORTED",
        "send the body as Content-Type: application/json, in UTF-8",
    ))
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(max: usize) -> Failure {
    Failure::too_large("BODY_TOO_LARGE", format!("the body is larger than {max} bytes, the most that is taken"))
}

fn unreadable(error: axum::Error, max: usize) -> Failure {
    let inner = error.into_inner();
    if inner.is::<http_body_util::LengthLimitError>() {
        too_large(max)
    } else {
        Failure::invalid("BODY_BROKEN", "the body ended before it was complete; send it again")
    }
}

//! What comes with a request: its headers and its body, both limited.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use serde_json::Value;
use tocsin_platform::failure::{Failure, FailureCode};
use tokio::time::Instant;

use super::strict;
use crate::idempotency::IdempotencyKey;
use crate::intake::Intake;
use crate::room::Place;

/// How long the first byte of a body may take. It usually comes together with the head of its request.
const FIRST_BYTE_TIME_MAX: Duration = Duration::from_secs(2);

/// A body in memory, and the room that it holds there.
pub(super) struct JsonBody<'a> {
    pub(super) value: Value,
    _place: Place<'a>,
}

/// Reads a JSON body: the right content type, no larger than the limit, within its time.
pub(super) async fn read<'a>(intake: &'a Intake, headers: &HeaderMap, body: Body) -> Result<JsonBody<'a>, Failure> {
    require_json(headers)?;
    let max = intake.config.body_bytes_max;
    if announced_length(headers).is_some_and(|bytes| bytes > max) {
        return Err(too_large(max));
    }
    let mut arriving = Arriving::new(body, Duration::from_secs(intake.config.body_seconds_max));
    let mut place = intake.room.place();
    let mut bytes = Vec::new();
    while let Some(chunk) = arriving.next(max).await? {
        if chunk.len() > max.saturating_sub(bytes.len()) {
            return Err(too_large(max));
        }
        place.grow(chunk.len()).await?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(JsonBody { value: strict::parse(&bytes)?, _place: place })
}

/// A body that is on its way. Only the time in which its sender keeps us waiting counts.
struct Arriving {
    body: Body,
    begun: bool,
    waited: Duration,
    time_max: Duration,
}

impl Arriving {
    fn new(body: Body, time_max: Duration) -> Self {
        Self { body, begun: false, waited: Duration::ZERO, time_max }
    }

    /// The next bytes, or nothing when the body is complete.
    async fn next(&mut self, max: usize) -> Result<Option<Bytes>, Failure> {
        loop {
            let time = if self.begun { self.time_max } else { self.time_max.min(FIRST_BYTE_TIME_MAX) };
            let started = Instant::now();
            let frame = tokio::time::timeout(time.saturating_sub(self.waited), self.body.frame()).await;
            self.waited += started.elapsed();
            let frame = frame.map_err(|_| too_slow(self.begun, time))?;
            let Some(frame) = frame.transpose().map_err(|error| unreadable(error, max))? else { return Ok(None) };
            if let Ok(chunk) = frame.into_data()
                && !chunk.is_empty()
            {
                self.begun = true;
                return Ok(Some(chunk));
            }
        }
    }
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

fn too_slow(begun: bool, time: Duration) -> Failure {
    let what = if begun { "arrive" } else { "begin to arrive" };
    Failure::timed_out("BODY_TOO_SLOW", format!("the body did not {what} within {} s; send it again", time.as_secs()))
}

fn unreadable(error: axum::Error, max: usize) -> Failure {
    let inner = error.into_inner();
    if inner.is::<http_body_util::LengthLimitError>() {
        too_large(max)
    } else {
        Failure::invalid("BODY_BROKEN", "the body ended before it was complete; send it again")
    }
}

//! What holds for every request: a request id, a size, a time, a measurement, a panic that stays in its request, and
//! errors that are always problems.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use ::http::{StatusCode, header};
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tower_http::limit::RequestBodyLimitLayer;
use tracing::Instrument;

use crate::config::LimitSettings;
use crate::failure::{Failure, FailureCode, RequestIdLayer, current_request_id};
use crate::telemetry;

/// Wraps the routes of a service.
pub(super) fn with_house_rules(router: Router, limits: LimitSettings) -> Router {
    router
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(limits.http_body_bytes_max))
        .layer(from_fn_with_state(limits, request))
        .layer(RequestIdLayer)
}

async fn request(State(limits): State<LimitSettings>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let method = label_of(request.method());
    let span = tracing::info_span!("request", method, path = route.as_str(), request_id = %current_request_id());
    if let Some(parent) = request.headers().get("traceparent").and_then(|value| value.to_str().ok()) {
        telemetry::set_parent(&span, parent);
    }
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone());
    let response = match tokio::time::timeout(limits.request_time(), answered).await {
        Ok(Ok(response)) => as_problem(response, &limits),
        Ok(Err(_)) => {
            span.in_scope(|| tracing::error!(method, path = route.as_str(), "a request panicked"));
            Failure::internal("PANICKED").into_response()
        }
        Err(_) => {
            span.in_scope(|| tracing::warn!(method, path = route.as_str(), "a request took too long"));
            let message = format!("the request took longer than {} seconds; try again", limits.request_seconds_max);
            Failure::timed_out("REQUEST_TIMED_OUT", message).into_response()
        }
    };
    telemetry::metrics()
        .http_server_request_duration_seconds
        .with_label_values(&[method, &route, response.status().as_str()])
        .observe(started.elapsed().as_secs_f64());
    response
}

/// A client may invent methods; as a label only the known ones are used.
fn label_of(method: &::http::Method) -> &'static str {
    match *method {
        ::http::Method::GET => "GET",
        ::http::Method::HEAD => "HEAD",
        ::http::Method::POST => "POST",
        ::http::Method::PUT => "PUT",
        ::http::Method::PATCH => "PATCH",
        ::http::Method::DELETE => "DELETE",
        ::http::Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// Refusals of the framework are plain text or nothing; they become problems. Pages and problems of a service stay.
fn as_problem(response: Response, limits: &LimitSettings) -> Response {
    let status = response.status();
    let is_plain =
        response.headers().get(header::CONTENT_TYPE).is_none_or(|value| value.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !is_plain {
        return response;
    }
    let (code, reason, message) = match status {
        StatusCode::NOT_FOUND => (FailureCode::NotFound, "NO_SUCH_PATH", "there is nothing under this path".to_owned()),
        StatusCode::METHOD_NOT_ALLOWED => (
            FailureCode::Invalid,
            "METHOD_NOT_ALLOWED",
            "this path takes another method; see the header `allow`".to_owned(),
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("the body may have at most {} bytes", limits.http_body_bytes_max);
            (FailureCode::TooLarge, "BODY_TOO_LARGE", message)
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            (FailureCode::Invalid, "MEDIA_TYPE", "send the body as `content-type: application/json`".to_owned())
        }
        status if status.is_server_error() => return Failure::internal("UNEXPECTED").into_response(),
        _ => (
            FailureCode::Invalid,
            "REQUEST_INVALID",
            "the request cannot be read: check its body and parameters".to_owned(),
        ),
    };
    let mut problem = Failure::new(code, reason, message).with_status(status);
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

//! A failure as `application/problem+json` (RFC 9457).

use ::http::{HeaderValue, header};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::{Failure, current_request_id};

/// The body of a problem. `type` is `urn:tocsin:problem:` and the reason; `instance` is the request id as a URN.
#[derive(Debug, Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: String,
    reason: &'a str,
    retryable: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem<'a>>,
}

#[derive(Debug, Serialize)]
struct FieldProblem<'a> {
    field: &'a str,
    detail: &'a str,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.code.http();
        self.with_status(status)
    }
}

impl Failure {
    /// The problem under a status that the table does not have, as 405 of the framework.
    pub(crate) fn with_status(self, status: ::http::StatusCode) -> Response {
        let problem = Problem {
            r#type: format!("urn:tocsin:problem:{}", self.reason),
            title: self.code.title(),
            status: status.as_u16(),
            detail: &self.message,
            instance: format!("urn:uuid:{}", current_request_id()),
            reason: self.reason,
            retryable: self.retryable(),
            errors: self
                .fields
                .iter()
                .map(|violation| FieldProblem { field: &violation.field, detail: &violation.description })
                .collect(),
        };
        // Serialising plain strings and numbers cannot fail; an empty body would still carry the right status.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            // Whole seconds, rounded up, so that nobody comes back too early.
            let seconds = wait.as_millis().div_ceil(1000).clamp(1, 86_400);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                headers.insert(header::RETRY_AFTER, value);
            }
        }
        if status == ::http::StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

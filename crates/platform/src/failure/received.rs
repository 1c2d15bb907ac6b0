//! The other side: what a client of ours reads out of a gRPC status.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::FieldViolation;

/// A failure as it arrived from a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The gRPC code.
    pub code: Code,
    /// The stable word for programs; empty when the server is not ours.
    pub reason: String,
    /// The sentence for people.
    pub message: String,
    /// The fields at fault.
    pub fields: Vec<FieldViolation>,
    /// The id under which the server logged the request.
    pub request_id: Option<String>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

/// Reads a status. Details that do not decode count as absent.
pub fn received(status: &Status) -> Received {
    let details = status.get_error_details();
    let information = details.error_info();
    let metadata = |key: &str| information.and_then(|information| information.metadata.get(key)).cloned();
    let retryable = match metadata("retryable") {
        Some(text) => text == "true",
        None => matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Aborted),
    };
    Received {
        code: status.code(),
        reason: information.map(|information| information.reason.clone()).unwrap_or_default(),
        message: status.message().to_owned(),
        fields: details.bad_request().map_or_else(Vec::new, |bad_request| {
            bad_request
                .field_violations
                .iter()
                .map(|violation| FieldViolation {
                    field: violation.field.clone(),
                    description: violation.description.clone(),
                })
                .collect()
        }),
        request_id: metadata("request_id"),
        retryable,
        retry_after: details.retry_info().and_then(|information| information.retry_delay),
    }
}

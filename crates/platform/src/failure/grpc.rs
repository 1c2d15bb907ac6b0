//! A failure as a gRPC status with the details of `google.rpc`: `ErrorInfo` always, `BadRequest` and `RetryInfo` when
//! there is something to say.

use std::collections::HashMap;

use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation as WireViolation, StatusExt};

use super::{Failure, current_request_id};

/// The domain of every `ErrorInfo` that Tocsin sends.
pub(super) const ERROR_DOMAIN: &str = "tocsin";

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let metadata = HashMap::from([
            ("request_id".to_owned(), current_request_id().to_string()),
            ("retryable".to_owned(), failure.retryable().to_string()),
        ]);
        let mut details = ErrorDetails::with_error_info(failure.reason, ERROR_DOMAIN, metadata);
        if !failure.fields.is_empty() {
            let violations: Vec<_> = failure
                .fields
                .into_iter()
                .map(|violation| WireViolation::new(violation.field, violation.description))
                .collect();
            details.set_bad_request(violations);
        }
        if failure.retry_after.is_some() {
            details.set_retry_info(failure.retry_after);
        }
        Status::with_error_details(failure.code.grpc(), failure.message, details)
    }
}

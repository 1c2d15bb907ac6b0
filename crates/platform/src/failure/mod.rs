//! The one error that leaves a service: what a client is told, in gRPC and in HTTP, from one table.
//!
//! Inside, errors are enums per module. At the door they become a [`Failure`], whose message says what is wrong and
//! what to do, and never carries case text, a name, an address or the text of a database error.

mod grpc;
mod http;
mod received;
mod request;
mod table;

use std::time::Duration;

use sea_orm::DbErr;

use crate::database::{is_busy_or_away, kind_of};

pub use received::{Received, received};
pub use request::{REQUEST_ID_HEADER, RequestIdLayer, RequestIdService, current_request_id};
pub use table::FailureCode;

/// Something wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// The path of the field in the request, as `report.kinds[2]`.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub description: String,
}

/// A refusal or an error as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({reason})")]
pub struct Failure {
    /// What class of failure it is; decides the gRPC code, the HTTP status and whether to try again.
    pub code: FailureCode,
    /// A stable word for programs, in upper snake case, as `KEY_EXPIRED`.
    pub reason: &'static str,
    /// One or two sentences for people: what is wrong and what to do.
    pub message: String,
    /// The fields at fault; empty when none is.
    pub fields: Vec<FieldViolation>,
    /// How long to wait before trying again, when that is known.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure of this class.
    pub fn new(code: FailureCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), fields: Vec::new(), retry_after: None }
    }

    /// The request itself is wrong; sending it again unchanged never helps.
    pub fn invalid(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::Invalid, reason, message)
    }

    /// The request is well formed but contradicts an earlier one, as an idempotency key with another body.
    pub fn mismatch(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::Mismatch, reason, message)
    }

    /// What was asked for does not exist, or the caller may not know that it does.
    pub fn not_found(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::NotFound, reason, message)
    }

    /// A rule of the domain refuses it in the present state.
    pub fn refused(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::Refused, reason, message)
    }

    /// The caller is known and may not do this.
    pub fn forbidden(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::Forbidden, reason, message)
    }

    /// The caller is not known.
    pub fn unauthenticated(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::Unauthenticated, reason, message)
    }

    /// It exists already.
    pub fn conflict(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::Conflict, reason, message)
    }

    /// Something this service needs is away; try again.
    pub fn unavailable(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::Unavailable, reason, message)
    }

    /// A fault of ours. The client learns nothing but the request id; log the cause where it is known.
    pub fn internal(reason: &'static str) -> Self {
        Self::new(
            FailureCode::Internal,
            reason,
            "something failed on our side; give the request id to the operator of this service",
        )
    }

    /// More bytes than the limit.
    pub fn too_large(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::TooLarge, reason, message)
    }

    /// A quota, a queue or a reader's buffer is full; slow down and try again.
    pub fn exhausted(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::Exhausted, reason, message)
    }

    /// A position or page that no longer exists; start again from one that does.
    pub fn out_of_range(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::OutOfRange, reason, message)
    }

    /// Two writers met, or the same request is still being worked on; try again.
    pub fn aborted(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::Aborted, reason, message)
    }

    /// The work did not end in its time; try again.
    pub fn timed_out(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(FailureCode::TimedOut, reason, message)
    }

    /// Names a field at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        self.fields.push(FieldViolation { field: field.into(), description: description.into() });
        self
    }

    /// Names several fields at fault.
    #[must_use]
    pub fn fields(mut self, fields: impl IntoIterator<Item = FieldViolation>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// Says how long to wait before trying again.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        self.code.retryable()
    }
}

impl From<DbErr> for Failure {
    /// A database that is busy or away is worth another try, anything else is a fault of ours. The text of the error
    /// may quote values, so it stays out of the answer and out of the log; only its kind is logged.
    fn from(error: DbErr) -> Self {
        let request_id = current_request_id();
        if is_busy_or_away(&error) {
            tracing::warn!(error_kind = kind_of(&error), request_id = %request_id, "the database is busy or away");
            return Self::unavailable("DATABASE_AWAY", "the database is busy or away; try again shortly")
                .retry_after(Duration::from_secs(1));
        }
        tracing::error!(error_kind = kind_of(&error), request_id = %request_id, "a database statement failed");
        Self::internal("DATABASE_FAILED")
    }
}

#[cfg(test)]
mod tests;

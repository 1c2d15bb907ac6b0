//! What can go wrong inside dispatch, and the one table from it to what a client or the bus is told.

use sea_orm::DbErr;
use tocsin_platform::consume::ConsumeError;
use tocsin_platform::failure::Failure;

use crate::content::ContentError;
use crate::feed::cursor::CursorError;
use crate::response::Refusal;

/// One error of dispatch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DispatchError {
    /// The database failed or is away.
    #[error("a statement of dispatch's database failed")]
    Database(#[from] DbErr),
    /// Stored content does not open.
    #[error("stored content cannot be read")]
    Content(#[from] ContentError),
    /// The alert does not exist, or the caller may not know that it does.
    #[error("there is no such alert")]
    NoAlert,
    /// The answer does not count.
    #[error("the answer was refused")]
    Response(#[from] Refusal),
    /// The reader cannot go on from its cursor.
    #[error("the cursor cannot be used")]
    Cursor(#[from] CursorError),
    /// A row could not be written as JSON.
    #[error("a row could not be written")]
    Row(#[from] serde_json::Error),
}

impl From<DispatchError> for Failure {
    fn from(error: DispatchError) -> Self {
        match error {
            DispatchError::Database(error) => error.into(),
            DispatchError::Content(error) => {
                tracing::error!(reason = %error, "stored content cannot be read; check the file dispatch.key");
                Self::internal("CONTENT_UNREADABLE")
            }
            DispatchError::Row(_) => Self::internal("ROW_UNWRITABLE"),
            DispatchError::NoAlert => Self::not_found(
                "ALERT_NOT_FOUND",
                "there is no such alert: give its id, its short code or its reference",
            ),
            DispatchError::Response(refusal) => {
                let reason = match refusal {
                    Refusal::Withdrawn => "ALERT_WITHDRAWN",
                    Refusal::NotAsked(_) => "NOT_ASKED",
                };
                Self::refused(reason, refusal.to_string())
            }
            DispatchError::Cursor(CursorError::Malformed) => {
                Self::invalid("CURSOR_MALFORMED", CursorError::Malformed.to_string())
                    .field("cursor", "use a cursor as it was received, or none")
            }
            DispatchError::Cursor(CursorError::Expired) => {
                Self::out_of_range("CURSOR_EXPIRED", CursorError::Expired.to_string())
            }
        }
    }
}

impl From<DispatchError> for tonic::Status {
    fn from(error: DispatchError) -> Self {
        Failure::from(error).into()
    }
}

/// An event that says something impossible: it is a fault of the event and ends as a dead letter. The text names the
/// field, never its value.
pub(crate) fn fault(what: &str) -> ConsumeError {
    ConsumeError::Fault(what.to_owned())
}

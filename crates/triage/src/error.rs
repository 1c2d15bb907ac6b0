//! What can go wrong in triage, and the one table to what a caller or the consumer loop is told.

use sea_orm::DbErr;
use tocsin_domain::case::TransitionRefused;
use tocsin_platform::consume::ConsumeError;
use tocsin_platform::database::is_busy_or_away;
use tocsin_platform::failure::Failure;
use tocsin_platform::seal::SealError;
use tonic::Status;

use crate::vault::VaultError;

/// Why a verb, a consumer or a reconciler could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TriageError {
    /// Triage's own database failed or is away.
    #[error("the database did not answer")]
    Database(#[from] DbErr),
    /// The key store failed, is away, or holds the key no more.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Something stored or received does not open.
    #[error("something sealed does not open")]
    Seal(#[from] SealError),
    /// A row or an event holds what this release does not know.
    #[error("{0} is not what this release of triage writes")]
    Foreign(&'static str),
    /// The state of the case or its draft does not allow it.
    #[error("the state does not allow it")]
    State(#[from] TransitionRefused),
    /// A refusal that is meant for the caller.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<TriageError> for Failure {
    fn from(error: TriageError) -> Self {
        match error {
            TriageError::Failure(failure) => failure,
            TriageError::Database(error) | TriageError::Vault(VaultError::Database(error)) => error.into(),
            TriageError::State(refused) => Self::refused("STATE", format!("{refused}; do that first")),
            TriageError::Vault(VaultError::Shredded) => {
                Self::not_found("CASE_SHREDDED", "the key of this case was destroyed: it can never be read again")
            }
            TriageError::Vault(error) => logged("KEY_STORE_FAILED", &error),
            TriageError::Seal(error) => logged("SEALED_CONTENT_FAILED", &error),
            TriageError::Foreign(what) => logged("FOREIGN_DATA", &what),
        }
    }
}

fn logged(reason: &'static str, error: &dyn std::fmt::Display) -> Failure {
    let request_id = tocsin_platform::failure::current_request_id();
    tracing::error!(reason, request_id = %request_id, "a verb of triage failed: {error}");
    Failure::internal(reason)
}

impl From<TriageError> for Status {
    fn from(error: TriageError) -> Self {
        Failure::from(error).into()
    }
}

impl From<TriageError> for ConsumeError {
    fn from(error: TriageError) -> Self {
        match error {
            TriageError::Database(error) | TriageError::Vault(VaultError::Database(error))
                if is_busy_or_away(&error) =>
            {
                Self::Unavailable("a database is busy or away".to_owned())
            }
            // The master key or the key store's file is wrong: an operator's matter, not the event's fault.
            TriageError::Vault(VaultError::Open(_) | VaultError::Seal(_)) => {
                Self::Unavailable("the key store does not open".to_owned())
            }
            other => Self::Fault(other.to_string()),
        }
    }
}

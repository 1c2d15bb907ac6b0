//! How intake's own errors look at its doors. Classes and codes come from the platform's one table.

use std::time::Duration;

use tocsin_platform::failure::{Failure, FieldViolation};
use tocsin_platform::seal::SealError;

/// Every wrong field of a request, each named. `prefix` stands before each path, as `report.` in gRPC.
pub(crate) fn wrong_fields(
    reason: &'static str,
    prefix: &str,
    violations: impl IntoIterator<Item = FieldViolation>,
) -> Failure {
    let fields: Vec<_> = violations
        .into_iter()
        .map(|violation| FieldViolation { field: format!("{prefix}{}", violation.field), ..violation })
        .collect();
    let message = match fields.len() {
        1 => "one field is wrong; correct it and send it again".to_owned(),
        count => format!("{count} fields are wrong; correct them and send it again"),
    };
    Failure::invalid(reason, message).fields(fields)
}

/// More text than one report or message may hold.
pub(crate) fn too_much_text(given: usize, max: usize) -> Failure {
    Failure::too_large(
        "TEXT_TOO_LONG",
        format!(
            "this holds {given} bytes of text; at most {max} are taken at once: shorten it, and add the rest as messages"
        ),
    )
}

/// Nothing is accepted that cannot be sealed first.
pub(crate) fn sealing_key_missing() -> Failure {
    Failure::unavailable(
        "SEALING_KEY_MISSING",
        "the key that protects reports has not arrived yet, so nothing can be accepted safely; try again in a moment",
    )
    .retry_after(Duration::from_secs(1))
}

/// Sealing or opening failed, which is a fault of ours.
pub(crate) fn sealing_failed(error: &SealError) -> Failure {
    tracing::error!(reason = %error, "sealing failed");
    Failure::internal("SEALING_FAILED")
}

/// The key was used with another body.
pub(crate) fn key_reused() -> Failure {
    Failure::mismatch(
        "IDEMPOTENCY_KEY_REUSED",
        "this idempotency key was already used with other content; use a new key for new content",
    )
}

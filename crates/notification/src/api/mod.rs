//! gRPC in, one file a verb.

mod contact_codes;
mod gateways;
mod get_notice;
mod get_notice_progress;
mod import_contacts;
mod list_changes;
mod list_contacts;
mod list_degraded_destinations;
mod list_notices;
mod list_replies;
mod mail_suppressions;
mod preview_notices;
mod redrive_notices;
mod rotate_webhook_keys;
mod services;
mod test_contact;
mod wire;
mod withdraw_notices;

use std::sync::Arc;

use tocsin_platform::credentials::Credentials;
use tocsin_platform::failure::Failure;

use crate::office::Office;

/// All gRPC services.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) office: Arc<Office>,
    pub(crate) credentials: Credentials,
}

fn unknown_contact() -> Failure {
    Failure::not_found("UNKNOWN_CONTACT", "there is no contact of this id; `tocsin org import` creates contacts")
}

fn no_webhook() -> Failure {
    Failure::refused("NO_WEBHOOK", "this contact has no webhook; import it with one first")
}

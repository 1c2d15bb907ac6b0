//! `RevokeKey` and `ListKeys`: ending a credential, and seeing which there are.

use tocsin_domain::role::Action;
use tocsin_platform::failure::Failure;
use tocsin_platform::pages::{page_size, page_token};
use tocsin_proto::triage::v1 as wire;
use tonic::Request;
use uuid::Uuid;

use crate::decode;
use crate::desk::Desk;
use crate::error::TriageError;

/// Revokes a key.
pub(super) async fn revoke_key(
    desk: &Desk,
    request: Request<wire::RevokeKeyRequest>,
) -> Result<wire::RevokeKeyResponse, TriageError> {
    desk.credentials.require_action(request.metadata(), Action::ManageKeys).await?;
    let request = request.into_inner();
    let id = Uuid::try_parse(&request.key_id).map_err(|_| {
        let says = "a key id is a UUID; list the keys to find it";
        Failure::invalid("KEY_ID_INVALID", says).field("key_id", says)
    })?;
    desk.credentials.revoke(id).await?;
    tracing::info!(key = %id, "a key was revoked");
    let records = desk.credentials.list().await?;
    let key = records.iter().find(|record| record.id == id).map(decode::key::to_wire);
    Ok(wire::RevokeKeyResponse { key })
}

/// Lists keys, the newest first. A page token is the last key of the page before.
pub(super) async fn list_keys(
    desk: &Desk,
    request: Request<wire::ListKeysRequest>,
) -> Result<wire::ListKeysResponse, TriageError> {
    desk.credentials.require_action(request.metadata(), Action::ManageKeys).await?;
    let request = request.into_inner();
    let after = page_token(&request.page_token)?;
    let records = desk.credentials.list().await?;
    let size = page_size(request.page_size) as usize;
    let start = after.map_or(0, |after: Uuid| {
        records.iter().position(|record| record.id == after).map_or(records.len(), |position| position + 1)
    });
    let page: Vec<_> = records.iter().skip(start).take(size).collect();
    let more = records.len() > start + page.len();
    let next_page_token = page.last().filter(|_| more).map(|record| record.id.to_string()).unwrap_or_default();
    Ok(wire::ListKeysResponse { keys: page.into_iter().map(decode::key::to_wire).collect(), next_page_token })
}

//! `IssueKey`: a credential, whose secret is in this answer only.

use tocsin_domain::role::Action;
use tocsin_platform::failure::Failure;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use crate::decode;
use crate::desk::Desk;
use crate::error::TriageError;

/// Issues a key.
pub(super) async fn issue_key(
    desk: &Desk,
    request: Request<wire::IssueKeyRequest>,
) -> Result<wire::IssueKeyResponse, TriageError> {
    desk.credentials.require_action(request.metadata(), Action::ManageKeys).await?;
    let given = decode::present("key", request.into_inner().key)?;
    let new = decode::key::new_key(&given, desk.clock.now())?;
    let issued = desk.credentials.issue(new).await?;
    tracing::info!(key = %issued.id, "a key was issued");
    let records = desk.credentials.list().await?;
    let record = records.iter().find(|record| record.id == issued.id);
    let record = record.ok_or_else(|| Failure::internal("KEY_VANISHED"))?;
    Ok(wire::IssueKeyResponse { key: Some(decode::key::to_wire(record)), secret: issued.secret.expose().to_owned() })
}

//! `RedriveEvents`: says events once more, for a consumer that was restored to an older state.

use tocsin_domain::role::Action;
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::operations::v1 as wire;
use tonic::Request;
use tracing::info;

use super::OperationsDoor;
use crate::failure::Failure;

/// Owes every event since then to its consumers again.
pub(super) async fn redrive_events(
    door: &OperationsDoor,
    request: Request<wire::RedriveEventsRequest>,
) -> Result<wire::RedriveEventsResponse, Failure> {
    let principal = door.credentials.require_action(request.metadata(), Action::Redrive).await?;
    let since = from_timestamp(request.into_inner().since.as_ref()).ok_or_else(|| {
        let says = "say since when, as a moment; events are kept for seven days after they were settled";
        Failure::invalid("SINCE_INVALID", says).field("since", says)
    })?;
    let owed = door.outbox.redrive_since(since).await?;
    info!(service = %door.service, actor_id = %principal.actor, count = owed, "a person has events said again");
    Ok(wire::RedriveEventsResponse { owed })
}

//! `ListAdvisories`: what the broker said about deliveries that it will not make again.

use tocsin_domain::role::Action;
use tocsin_proto::convert::timestamp;
use tocsin_proto::operations::v1 as wire;
use tonic::Request;

use super::OperationsDoor;
use crate::clock::from_ms;
use crate::consume::advisories::{self, KeptAdvisory};
use crate::failure::Failure;
use crate::pages::{page_size, page_token};

/// Lists a page, the newest first. A page token is the last row of the page before.
pub(super) async fn list_advisories(
    door: &OperationsDoor,
    request: Request<wire::ListAdvisoriesRequest>,
) -> Result<wire::ListAdvisoriesResponse, Failure> {
    door.credentials.require_action(request.metadata(), Action::ReadQueues).await?;
    let request = request.into_inner();
    let size = u64::from(page_size(request.page_size));
    let rows = advisories::list(door.database.reader(), page_token(&request.page_token)?, size).await?;
    let full = rows.len() as u64 >= size;
    let next_page_token = rows.last().filter(|_| full).map(|row| row.id.to_string()).unwrap_or_default();
    Ok(wire::ListAdvisoriesResponse { advisories: rows.into_iter().map(to_wire).collect(), next_page_token })
}

fn to_wire(row: KeptAdvisory) -> wire::Advisory {
    wire::Advisory {
        kind: row.kind,
        stream: row.stream,
        consumer: row.consumer,
        stream_sequence: row.stream_sequence,
        deliveries: row.deliveries,
        at: Some(timestamp(from_ms(row.at_ms))),
    }
}

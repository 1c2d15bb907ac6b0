//! `ListDeadLetters`: what this service could not take, without its content.

use tocsin_domain::id::EventId;
use tocsin_domain::role::Action;
use tocsin_proto::convert::timestamp;
use tocsin_proto::operations::v1 as wire;
use tonic::Request;
use uuid::Uuid;

use super::OperationsDoor;
use crate::clock::from_ms;
use crate::consume::dead_letters::{self, DeadLetter, Page};
use crate::failure::Failure;
use crate::pages::{page_size, page_token};

/// Lists a page, the oldest event first. A page token is the last event of the page before.
pub(super) async fn list_dead_letters(
    door: &OperationsDoor,
    request: Request<wire::ListDeadLettersRequest>,
) -> Result<wire::ListDeadLettersResponse, Failure> {
    door.credentials.require_action(request.metadata(), Action::ReadQueues).await?;
    let request = request.into_inner();
    let size = u64::from(page_size(request.page_size));
    let after = page_token::<Uuid>(&request.page_token)?.map(EventId::from_uuid);
    let rows = dead_letters::list(door.database.reader(), Page { after, size }).await?;
    let full = rows.len() as u64 >= size;
    let next_page_token = rows.last().filter(|_| full).map(|row| row.event_id.to_string()).unwrap_or_default();
    Ok(wire::ListDeadLettersResponse { dead_letters: rows.into_iter().map(to_wire).collect(), next_page_token })
}

fn to_wire(row: DeadLetter) -> wire::DeadLetter {
    wire::DeadLetter {
        event_id: row.event_id.to_string(),
        kind: row.kind,
        aggregate: row.aggregate,
        version: row.version,
        attempts: u32::try_from(row.attempts).unwrap_or(0),
        fault: row.fault,
        died_at: Some(timestamp(from_ms(row.died_at_ms))),
        redrive_at: row.redrive_at_ms.map(|at_ms| timestamp(from_ms(at_ms))),
    }
}

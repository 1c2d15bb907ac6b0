//! `RedriveDeadLetters`: has what could not be taken run again, after a person has mended the cause.

use tocsin_domain::id::EventId;
use tocsin_domain::role::Action;
use tocsin_proto::catalogue::kind_named;
use tocsin_proto::operations::v1 as wire;
use tocsin_proto::operations::v1::redrive_dead_letters_request::Which as Wanted;
use tonic::Request;
use tracing::info;
use uuid::Uuid;

use super::OperationsDoor;
use crate::consume::dead_letters::{self, Which};
use crate::database::commit;
use crate::failure::Failure;

/// Asks for them; the consumer runs them within about a second each.
pub(super) async fn redrive_dead_letters(
    door: &OperationsDoor,
    request: Request<wire::RedriveDeadLettersRequest>,
) -> Result<wire::RedriveDeadLettersResponse, Failure> {
    let principal = door.credentials.require_action(request.metadata(), Action::Redrive).await?;
    let wanted = request.into_inner().which;
    let which = decode(wanted.as_ref())?;
    let transaction = door.database.begin().await?;
    let dead_letters = dead_letters::redrive(&transaction, which, door.clock.now_ms()).await?;
    commit(transaction, "operations.redrive_dead_letters").await?;
    if dead_letters == 0 && matches!(which, Which::Event(_)) {
        let says = "this service has no dead letter of that event: list them, or ask another service";
        return Err(Failure::not_found("DEAD_LETTER_UNKNOWN", says));
    }
    info!(service = %door.service, actor_id = %principal.actor, count = dead_letters, "a person has dead letters run again");
    Ok(wire::RedriveDeadLettersResponse { dead_letters })
}

fn decode(wanted: Option<&Wanted>) -> Result<Which<'_>, Failure> {
    let invalid = |field: &str, says: &str| Failure::invalid("DEAD_LETTERS_INVALID", says).field(field, says);
    match wanted {
        Some(Wanted::EventId(text)) => Uuid::try_parse(text)
            .map(|id| Which::Event(EventId::from_uuid(id)))
            .map_err(|_| invalid("event_id", "an event id is a UUID; list the dead letters to find it")),
        Some(Wanted::Kind(name)) => kind_named(name).map(|kind| Which::Kind(kind.name)).ok_or_else(|| {
            invalid("kind", "the catalogue has no such kind of event; list the dead letters to find it")
        }),
        Some(Wanted::All(true)) => Ok(Which::All),
        Some(Wanted::All(false)) | None => Err(invalid("which", "say which: event_id, kind, or all set to true")),
    }
}

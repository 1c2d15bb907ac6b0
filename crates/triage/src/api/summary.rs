//! A case in one line: ids, state, priority and times.

use sea_orm::ConnectionTrait;
use tocsin_platform::clock::from_ms;
use tocsin_proto::common::v1::Person;
use tocsin_proto::convert::timestamp;
use tocsin_proto::triage::v1 as wire;

use crate::error::TriageError;
use crate::store::cases::OpenCase;
use crate::store::escalations;

/// The state of a case that a stop-action ended.
pub(super) const STOPPED: &str = "stopped";

/// One case, with a look at its clocks.
pub(super) async fn of<C: ConnectionTrait>(connection: &C, case: &OpenCase) -> Result<wire::CaseSummary, TriageError> {
    let due = escalations::next_due(connection, vec![case.id()]).await?;
    Ok(with(case, due.get(&case.id()).copied()))
}

/// One case, whose next page is due then.
pub(super) fn with(case: &OpenCase, escalates_at_ms: Option<i64>) -> wire::CaseSummary {
    let row = &case.row;
    let moment = |milliseconds| timestamp(from_ms(milliseconds));
    wire::CaseSummary {
        case_id: row.case_id.to_string(),
        report_id: row.report_id.to_string(),
        reference: case.facts.reference.clone(),
        state: if row.stopped_at_ms.is_some() { STOPPED.to_owned() } else { row.state.clone() },
        priority: row.priority.clone(),
        assessed: row.assessed,
        received_at: Some(moment(row.received_at_ms)),
        acknowledged_at: row.acknowledged_at_ms.map(moment),
        escalates_at: escalates_at_ms.map(moment),
        coordinator: row
            .coordinator
            .as_ref()
            .map(|actor| Person { actor_id: actor.clone(), name: case.facts.coordinator_name.clone() }),
    }
}

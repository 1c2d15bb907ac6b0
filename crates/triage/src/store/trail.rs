//! The audit trail: who did what to a case, when. Entries are only ever added.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use tocsin_platform::clock::from_ms;
use tocsin_proto::convert::timestamp;
use tocsin_proto::triage::v1 as wire;
use uuid::Uuid;

use crate::entity::ledger::audit;
use crate::error::TriageError;
use crate::sealed::{self, place};
use crate::store::cases::OpenCase;

/// Who acts when no person does.
pub(crate) const SYSTEM: &str = "tocsin-triage";

/// Adds an entry. The detail may hold codes, ids and what people typed: it is sealed.
pub(crate) async fn write<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
    actor: &str,
    action: &str,
    detail: &str,
    now_ms: i64,
) -> Result<(), TriageError> {
    let entry = Uuid::now_v7();
    let row = audit::ActiveModel {
        entry_id: Set(entry),
        case_id: Set(case.id()),
        actor: Set(actor.to_owned()),
        action: Set(action.to_owned()),
        at_ms: Set(now_ms),
        sealed: Set(sealed::close_text(&case.key, &place("audit", case.id(), entry), detail)?),
    };
    row.insert(connection).await?;
    Ok(())
}

/// Every entry of a case, in order.
pub(crate) async fn read<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
) -> Result<Vec<wire::AuditEntry>, TriageError> {
    let rows = audit::Entity::find()
        .filter(audit::Column::CaseId.eq(case.id()))
        .order_by_asc(audit::Column::AtMs)
        .order_by_asc(audit::Column::EntryId)
        .all(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let detail = sealed::open_text(&case.key, &place("audit", case.id(), row.entry_id), &row.sealed)?;
            Ok(wire::AuditEntry {
                at: Some(timestamp(from_ms(row.at_ms))),
                actor_id: row.actor,
                action: row.action,
                detail,
            })
        })
        .collect()
}

//! Sources, assessments and consents: appended in order, read whole.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use tocsin_domain::id::{ConsentId, SourceId};
use tocsin_proto::triage::v1 as wire;
use uuid::Uuid;

use crate::entity::finding::{assessment, consent, source};
use crate::error::TriageError;
use crate::sealed::{self, place};
use crate::store::cases::OpenCase;
use crate::store::small;

/// Every source of a case, in the order recorded.
pub(crate) async fn sources<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
) -> Result<Vec<wire::Source>, TriageError> {
    let rows = source::Entity::find()
        .filter(source::Column::CaseId.eq(case.id()))
        .order_by_asc(source::Column::Position)
        .all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok(sealed::open(&case.key, &place("sources", case.id(), row.source_id), &row.sealed)?))
        .collect()
}

/// Adds a source after `count` others.
pub(crate) async fn add_source<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
    id: SourceId,
    count: usize,
    stored: &wire::Source,
    now_ms: i64,
) -> Result<(), TriageError> {
    let row = source::ActiveModel {
        source_id: Set(id.as_uuid()),
        case_id: Set(case.id()),
        position: Set(small(count)),
        recorded_by: Set(stored.recorded_by.clone()),
        recorded_at_ms: Set(now_ms),
        sealed: Set(sealed::close(&case.key, &place("sources", case.id(), id), stored)?),
    };
    row.insert(connection).await?;
    Ok(())
}

/// The last assessment of a case, and how many there were.
pub(crate) async fn last_assessment<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
) -> Result<(Option<wire::Assessment>, i32), TriageError> {
    let row = assessment::Entity::find()
        .filter(assessment::Column::CaseId.eq(case.id()))
        .order_by_desc(assessment::Column::Position)
        .one(connection)
        .await?;
    let Some(row) = row else { return Ok((None, 0)) };
    let stored = sealed::open(&case.key, &place("assessments", case.id(), row.position), &row.sealed)?;
    Ok((Some(stored), row.position.saturating_add(1)))
}

/// Adds an assessment at its position.
pub(crate) async fn add_assessment<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
    position: i32,
    stored: &wire::Assessment,
    now_ms: i64,
) -> Result<(), TriageError> {
    let row = assessment::ActiveModel {
        case_id: Set(case.id()),
        position: Set(position),
        assessed_by: Set(stored.assessed_by.clone()),
        assessed_at_ms: Set(now_ms),
        sealed: Set(sealed::close(&case.key, &place("assessments", case.id(), position), stored)?),
    };
    row.insert(connection).await?;
    Ok(())
}

/// Every consent record of a case, in the order recorded.
pub(crate) async fn consents<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
) -> Result<Vec<wire::ConsentRecord>, TriageError> {
    let rows = consent::Entity::find()
        .filter(consent::Column::CaseId.eq(case.id()))
        .order_by_asc(consent::Column::Position)
        .all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok(sealed::open(&case.key, &consent_place(case.id(), row.consent_id), &row.sealed)?))
        .collect()
}

/// Adds a consent record after `count` others.
pub(crate) async fn add_consent<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
    id: ConsentId,
    count: usize,
    stored: &wire::ConsentRecord,
    now_ms: i64,
) -> Result<(), TriageError> {
    let row = consent::ActiveModel {
        consent_id: Set(id.as_uuid()),
        case_id: Set(case.id()),
        position: Set(small(count)),
        recorded_by: Set(stored.recorded_by.clone()),
        recorded_at_ms: Set(now_ms),
        sealed: Set(sealed::close(&case.key, &consent_place(case.id(), id.as_uuid()), stored)?),
    };
    row.insert(connection).await?;
    Ok(())
}

fn consent_place(case: Uuid, consent: Uuid) -> String {
    place("consents", case, consent)
}

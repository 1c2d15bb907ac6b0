//! The clocks of the first answer: rows with a due time.

use std::collections::HashMap;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use tocsin_domain::priority::Escalation;
use tocsin_platform::clock::to_ms;
use uuid::Uuid;

use crate::entity::clock::escalation;
use crate::error::TriageError;

/// Starts the clocks of an alarm.
pub(crate) async fn start(
    transaction: &DatabaseTransaction,
    case: Uuid,
    alarm: i32,
    due: &[Escalation],
) -> Result<(), TriageError> {
    let rows: Vec<_> = due
        .iter()
        .map(|one| escalation::ActiveModel {
            case_id: Set(case),
            alarm: Set(alarm),
            level: Set(i32::try_from(one.level).unwrap_or(i32::MAX)),
            due_at_ms: Set(to_ms(one.due_at)),
            done_at_ms: Set(None),
            outcome: Set(None),
        })
        .collect();
    if !rows.is_empty() {
        escalation::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Closes every open clock of a case: somebody answered, or a new alarm takes over.
pub(crate) async fn close(
    transaction: &DatabaseTransaction,
    case: Uuid,
    outcome: &str,
    now_ms: i64,
) -> Result<(), TriageError> {
    escalation::Entity::update_many()
        .col_expr(escalation::Column::DoneAtMs, Expr::value(now_ms))
        .col_expr(escalation::Column::Outcome, Expr::value(outcome))
        .filter(escalation::Column::CaseId.eq(case))
        .filter(escalation::Column::DoneAtMs.is_null())
        .exec(transaction)
        .await?;
    Ok(())
}

/// Marks one clock as paged. False if it was done already: of several replicas one pages.
pub(crate) async fn mark_paged(
    transaction: &DatabaseTransaction,
    clock: &escalation::Model,
    now_ms: i64,
) -> Result<bool, TriageError> {
    let marked = escalation::Entity::update_many()
        .col_expr(escalation::Column::DoneAtMs, Expr::value(now_ms))
        .col_expr(escalation::Column::Outcome, Expr::value("paged"))
        .filter(escalation::Column::CaseId.eq(clock.case_id))
        .filter(escalation::Column::Alarm.eq(clock.alarm))
        .filter(escalation::Column::Level.eq(clock.level))
        .filter(escalation::Column::DoneAtMs.is_null())
        .exec(transaction)
        .await?;
    Ok(marked.rows_affected == 1)
}

/// The open clocks that fall due first.
pub(crate) async fn open_first<C: ConnectionTrait>(
    connection: &C,
    limit: u64,
) -> Result<Vec<escalation::Model>, TriageError> {
    Ok(escalation::Entity::find()
        .filter(escalation::Column::DoneAtMs.is_null())
        .order_by_asc(escalation::Column::DueAtMs)
        .limit(limit)
        .all(connection)
        .await?)
}

/// Every clock of one case.
pub(crate) async fn of_case<C: ConnectionTrait>(
    connection: &C,
    case: Uuid,
) -> Result<Vec<escalation::Model>, TriageError> {
    Ok(escalation::Entity::find().filter(escalation::Column::CaseId.eq(case)).all(connection).await?)
}

/// When the next page of each case is due, if nobody acts.
pub(crate) async fn next_due<C: ConnectionTrait>(
    connection: &C,
    cases: Vec<Uuid>,
) -> Result<HashMap<Uuid, i64>, TriageError> {
    let rows = escalation::Entity::find()
        .filter(escalation::Column::CaseId.is_in(cases))
        .filter(escalation::Column::DoneAtMs.is_null())
        .order_by_desc(escalation::Column::DueAtMs)
        .all(connection)
        .await?;
    // The earliest comes last and stays.
    Ok(rows.into_iter().map(|row| (row.case_id, row.due_at_ms)).collect())
}

/// The number of the next alarm of a case.
pub(crate) fn next_alarm(clocks: &[escalation::Model]) -> i32 {
    clocks.iter().map(|clock| clock.alarm).max().map_or(0, |alarm| alarm.saturating_add(1))
}

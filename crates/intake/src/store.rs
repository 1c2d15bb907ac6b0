//! intake's SQL. Whatever writes takes the transaction of its caller.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::accept::{Submission, Write};
use crate::entity::{answer, idempotency, message, report};

/// The answers stored under these keys.
pub(crate) async fn idempotent_answers<'a>(
    connection: &impl ConnectionTrait,
    slots: impl Iterator<Item = &'a idempotency::Model>,
) -> Result<Vec<idempotency::Model>, DbErr> {
    let hashes = slots.map(|slot| slot.key_hash.clone());
    idempotency::Entity::find().filter(idempotency::Column::KeyHash.is_in(hashes)).all(connection).await
}

/// Whether a key has a stored answer.
pub(crate) async fn was_answered(connection: &impl ConnectionTrait, key_hash: &[u8; 32]) -> Result<bool, DbErr> {
    let stored = idempotency::Entity::find_by_id(key_hash.to_vec()).one(connection).await?;
    Ok(stored.is_some())
}

/// Writes the rows of new submissions, one statement a table.
pub(crate) async fn insert_submissions(connection: &impl ConnectionTrait, fresh: &[&Submission]) -> Result<(), DbErr> {
    let mut slots: Vec<&idempotency::Model> = fresh.iter().map(|member| &member.idempotency).collect();
    // In one order, so that two processes with the same keys in hand wait for each other once and never in a circle.
    slots.sort_by(|one, other| one.key_hash.cmp(&other.key_hash));
    let slots = slots.into_iter().map(|slot| slot.clone().into_active_model());
    idempotency::Entity::insert_many(slots).exec_without_returning(connection).await?;
    let mut reports = Vec::new();
    let mut messages = Vec::new();
    let mut added: BTreeMap<Uuid, i32> = BTreeMap::new();
    for member in fresh {
        match &member.write {
            Write::Report(row) => reports.push(row.clone().into_active_model()),
            Write::Message(row) => {
                *added.entry(row.report_id).or_default() += 1;
                messages.push(row.clone().into_active_model());
            }
        }
    }
    if !reports.is_empty() {
        report::Entity::insert_many(reports).exec_without_returning(connection).await?;
    }
    if !messages.is_empty() {
        message::Entity::insert_many(messages).exec_without_returning(connection).await?;
    }
    for (report_id, count) in added {
        report::Entity::update_many()
            .col_expr(report::Column::MessageCount, Expr::col(report::Column::MessageCount).add(count))
            .filter(report::Column::ReportId.eq(report_id))
            .exec(connection)
            .await?;
    }
    Ok(())
}

/// The report that a receipt opens.
pub(crate) async fn report_of_receipt(
    connection: &impl ConnectionTrait,
    receipt_hash: &[u8; 32],
) -> Result<Option<report::Model>, DbErr> {
    report::Entity::find().filter(report::Column::ReceiptHash.eq(receipt_hash.to_vec())).one(connection).await
}

/// The answers to a report, the oldest first.
pub(crate) async fn answers_of(
    connection: &impl ConnectionTrait,
    report_id: Uuid,
) -> Result<Vec<answer::Model>, DbErr> {
    answer::Entity::find()
        .filter(answer::Column::ReportId.eq(report_id))
        .order_by_asc(answer::Column::AnsweredAtMs)
        .order_by_asc(answer::Column::Version)
        .all(connection)
        .await
}

/// When the reporter added which message, the oldest first.
pub(crate) async fn messages_of(connection: &impl ConnectionTrait, report_id: Uuid) -> Result<Vec<(Uuid, i64)>, DbErr> {
    message::Entity::find()
        .select_only()
        .column(message::Column::MessageId)
        .column(message::Column::ReceivedAtMs)
        .filter(message::Column::ReportId.eq(report_id))
        .order_by_asc(message::Column::ReceivedAtMs)
        .order_by_asc(message::Column::MessageId)
        .into_tuple()
        .all(connection)
        .await
}

/// Whether a report is known.
pub(crate) async fn report_exists(connection: &impl ConnectionTrait, report_id: Uuid) -> Result<bool, DbErr> {
    let found: Option<Uuid> = report::Entity::find_by_id(report_id)
        .select_only()
        .column(report::Column::ReportId)
        .into_tuple()
        .one(connection)
        .await?;
    Ok(found.is_some())
}

/// Sets the state of a report, unless a newer answer already did.
pub(crate) async fn advance_state(
    connection: &impl ConnectionTrait,
    report_id: Uuid,
    state: &str,
    version: i64,
) -> Result<(), DbErr> {
    report::Entity::update_many()
        .col_expr(report::Column::State, Expr::value(state))
        .col_expr(report::Column::StateVersion, Expr::value(version))
        .filter(report::Column::ReportId.eq(report_id))
        .filter(report::Column::StateVersion.lt(version))
        .exec(connection)
        .await
        .map(|_| ())
}

/// Keeps an answer; the same answer again changes nothing.
pub(crate) async fn keep_answer(connection: &impl ConnectionTrait, row: answer::Model) -> Result<(), DbErr> {
    answer::Entity::insert_many([row.into_active_model()])
        .on_conflict(OnConflict::column(answer::Column::AnswerId).do_nothing().to_owned())
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// Forgets idempotent answers older than `before_ms`, at most `count_max` of them; says how many.
pub(crate) async fn forget_idempotent_answers(
    connection: &impl ConnectionTrait,
    before_ms: i64,
    count_max: u64,
) -> Result<u64, DbErr> {
    let old: Vec<Vec<u8>> = idempotency::Entity::find()
        .select_only()
        .column(idempotency::Column::KeyHash)
        .filter(idempotency::Column::CreatedAtMs.lt(before_ms))
        .limit(count_max)
        .into_tuple()
        .all(connection)
        .await?;
    if old.is_empty() {
        return Ok(0);
    }
    let deleted =
        idempotency::Entity::delete_many().filter(idempotency::Column::KeyHash.is_in(old)).exec(connection).await?;
    Ok(deleted.rows_affected)
}

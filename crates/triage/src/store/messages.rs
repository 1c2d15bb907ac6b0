//! What the reporter and the network wrote to each other, and messages that overtook their report.

use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_platform::clock::from_ms;
use tocsin_platform::seal::Sealed;
use tocsin_proto::convert::timestamp;
use tocsin_proto::triage::v1 as wire;
use uuid::Uuid;

use crate::entity::case::{early_message, file, message};
use crate::error::TriageError;
use crate::sealed::{self, place};
use crate::store::cases::OpenCase;

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    Reporter,
    Network,
}

impl Author {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reporter => "reporter",
            Self::Network => "network",
        }
    }
}

/// Adds a message; the same id again changes nothing.
pub(crate) async fn add<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
    id: Uuid,
    author: Author,
    text: &str,
    at_ms: i64,
) -> Result<(), TriageError> {
    let row = message::ActiveModel {
        message_id: Set(id),
        case_id: Set(case.id()),
        author: Set(author.as_str().to_owned()),
        at_ms: Set(at_ms),
        sealed: Set(sealed::close_text(&case.key, &place("messages", case.id(), id), text)?),
    };
    message::Entity::insert(row)
        .on_conflict(OnConflict::column(message::Column::MessageId).do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// Every message of a case, in order.
pub(crate) async fn read<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
) -> Result<Vec<wire::CaseMessage>, TriageError> {
    let rows = message::Entity::find()
        .filter(message::Column::CaseId.eq(case.id()))
        .order_by_asc(message::Column::AtMs)
        .order_by_asc(message::Column::MessageId)
        .all(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let text = sealed::open_text(&case.key, &place("messages", case.id(), row.message_id), &row.sealed)?;
            let at = Some(timestamp(from_ms(row.at_ms)));
            Ok(wire::CaseMessage { message_id: row.message_id.to_string(), from: row.author, at, text })
        })
        .collect()
}

/// Keeps a message whose report is not here yet, as it came.
pub(crate) async fn keep_early<C: ConnectionTrait>(
    connection: &C,
    id: Uuid,
    report: Uuid,
    sealed: &Sealed,
    at_ms: i64,
) -> Result<(), TriageError> {
    let row = early_message::ActiveModel {
        message_id: Set(id),
        report_id: Set(report),
        key_id: Set(sealed.key_id.clone()),
        at_ms: Set(at_ms),
        sealed: Set(sealed.to_bytes()),
    };
    early_message::Entity::insert(row)
        .on_conflict(OnConflict::column(early_message::Column::MessageId).do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// Takes the messages that waited for this report: they are no longer kept as early ones.
pub(crate) async fn take_early<C: ConnectionTrait>(
    connection: &C,
    report: Uuid,
) -> Result<Vec<early_message::Model>, TriageError> {
    let rows = early_message::Entity::find()
        .filter(early_message::Column::ReportId.eq(report))
        .order_by_asc(early_message::Column::AtMs)
        .all(connection)
        .await?;
    if !rows.is_empty() {
        // Only those that were read: another one may be committed meanwhile.
        early_message::Entity::delete_many()
            .filter(early_message::Column::MessageId.is_in(rows.iter().map(|row| row.message_id)))
            .exec(connection)
            .await?;
    }
    Ok(rows)
}

/// The reports for which messages still wait although they have their case.
pub(crate) async fn overdue<C: ConnectionTrait>(connection: &C) -> Result<Vec<Uuid>, TriageError> {
    let opened = Query::select().column(file::Column::ReportId).from(file::Entity).to_owned();
    Ok(early_message::Entity::find()
        .select_only()
        .column(early_message::Column::ReportId)
        .distinct()
        .filter(early_message::Column::ReportId.in_subquery(opened))
        .into_tuple()
        .all(connection)
        .await?)
}

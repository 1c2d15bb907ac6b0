//! Recipients: which organisations an alert went to, and what each answered.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use tocsin_domain::id::OrganisationId;
use uuid::Uuid;

use crate::entity::recipient;
use crate::response::Response;

/// Rows a statement: eight binds each, and SQLite ends at 32,766.
const ROWS_A_STATEMENT: usize = 2_000;

/// Adds the audience of one revision; what an organisation answered to an earlier one stays.
pub(crate) async fn put<C: ConnectionTrait>(
    transaction: &C,
    alert: Uuid,
    revision: i64,
    audience: &[(OrganisationId, i32)],
) -> Result<(), DbErr> {
    use recipient::Column;
    for some in audience.chunks(ROWS_A_STATEMENT) {
        let rows = some.iter().map(|(organisation, contacts)| {
            let row = recipient::Model {
                alert_id: alert,
                organisation_id: organisation.to_string(),
                revision,
                contacts: *contacts,
                response: String::new(),
                response_version: 0,
                responded_at_ms: None,
                responded_revision: -1,
            };
            row.into_active_model()
        });
        let replace = OnConflict::columns([Column::AlertId, Column::OrganisationId])
            .update_columns([Column::Revision, Column::Contacts])
            .to_owned();
        recipient::Entity::insert_many(rows).on_conflict(replace).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// One recipient; inside a transaction the row is locked until it ends.
pub(crate) async fn find<C: ConnectionTrait>(
    connection: &C,
    alert: Uuid,
    organisation: &OrganisationId,
) -> Result<Option<recipient::Model>, DbErr> {
    recipient::Entity::find_by_id((alert, organisation.to_string())).lock_exclusive().one(connection).await
}

/// One recipient, for reading only.
pub(crate) async fn read<C: ConnectionTrait>(
    connection: &C,
    alert: Uuid,
    organisation: &OrganisationId,
) -> Result<Option<recipient::Model>, DbErr> {
    recipient::Entity::find_by_id((alert, organisation.to_string())).one(connection).await
}

/// Every recipient of these alerts, in the order of their ids.
pub(crate) async fn of_alerts<C: ConnectionTrait>(
    connection: &C,
    alerts: &[Uuid],
) -> Result<Vec<recipient::Model>, DbErr> {
    recipient::Entity::find()
        .filter(recipient::Column::AlertId.is_in(alerts.iter().copied()))
        .order_by_asc(recipient::Column::OrganisationId)
        .all(connection)
        .await
}

/// Writes an answer over the one before.
pub(crate) async fn answer<C: ConnectionTrait>(
    transaction: &C,
    recipient: &recipient::Model,
    response: Response,
    revision: i64,
    now_ms: i64,
) -> Result<i64, DbErr> {
    use recipient::Column;
    let version = recipient.response_version + 1;
    recipient::Entity::update_many()
        .col_expr(Column::Response, Expr::value(response.as_str()))
        .col_expr(Column::ResponseVersion, Expr::value(version))
        .col_expr(Column::RespondedAtMs, Expr::value(now_ms))
        .col_expr(Column::RespondedRevision, Expr::value(revision))
        .filter(Column::AlertId.eq(recipient.alert_id))
        .filter(Column::OrganisationId.eq(recipient.organisation_id.as_str()))
        .exec(transaction)
        .await?;
    Ok(version)
}

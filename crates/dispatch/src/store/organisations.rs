//! The register's rows.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use crate::entity::organisation;
use crate::register::Entry;

/// Rows a statement: eleven binds each, and SQLite ends at 32,766.
const ROWS_A_STATEMENT: usize = 1_000;

/// Every organisation, in the order of their ids.
pub(crate) async fn all<C: ConnectionTrait>(connection: &C) -> Result<Vec<Entry>, DbErr> {
    let mut rows =
        organisation::Entity::find().order_by_asc(organisation::Column::OrganisationId).all(connection).await?;
    // The database's collation may differ; the order of bytes is the one that everybody agrees on.
    rows.sort_by(|left, right| left.organisation_id.cmp(&right.organisation_id));
    rows.into_iter()
        .map(|row| Entry::from_row(row).ok_or_else(|| DbErr::Type("a row of organisations does not parse".to_owned())))
        .collect()
}

/// The rows of these organisations.
pub(crate) async fn with_ids<C: ConnectionTrait>(
    connection: &C,
    ids: &[&str],
) -> Result<Vec<organisation::Model>, DbErr> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(ROWS_A_STATEMENT) {
        let some = organisation::Column::OrganisationId.is_in(ids.iter().copied());
        found.extend(organisation::Entity::find().filter(some).all(connection).await?);
    }
    Ok(found)
}

/// Creates or replaces organisations.
pub(crate) async fn put<C: ConnectionTrait>(transaction: &C, rows: Vec<organisation::Model>) -> Result<(), DbErr> {
    use organisation::Column;
    let mut rows = rows.into_iter();
    loop {
        let some: Vec<_> = rows.by_ref().take(ROWS_A_STATEMENT).map(IntoActiveModel::into_active_model).collect();
        if some.is_empty() {
            return Ok(());
        }
        let replace = OnConflict::column(Column::OrganisationId)
            .update_columns([
                Column::Name,
                Column::Country,
                Column::Region,
                Column::Kind,
                Column::Language,
                Column::Clearance,
                Column::Groups,
                Column::Subscription,
                Column::Offers,
                Column::ContactIds,
            ])
            .to_owned();
        organisation::Entity::insert_many(some).on_conflict(replace).exec_without_returning(transaction).await?;
    }
}

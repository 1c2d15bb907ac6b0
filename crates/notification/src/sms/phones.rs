//! Whose number it is: keyed hashes beside the sealed contacts, so that a message to us finds its sender.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use tocsin_platform::database::Database;

use crate::contact::Details;
use crate::entity::contact;
use crate::entity::sms::phone;
use crate::secrets::LocalSecrets;

/// Rows in one statement.
const ROWS_A_STATEMENT: usize = 1_000;
/// Contacts in one step of a backfill.
const CONTACTS_A_STEP: u64 = 500;

/// Records the numbers of contacts that were just stored; an empty number is no number.
pub(crate) async fn record<C: ConnectionTrait>(
    connection: &C,
    secrets: &LocalSecrets,
    numbers: &[(String, String)],
) -> Result<(), DbErr> {
    use phone::Column;
    for chunk in numbers.chunks(ROWS_A_STATEMENT) {
        let rows = chunk.iter().map(|(contact_id, number)| {
            let phone_mac = if number.is_empty() { String::new() } else { secrets.phone_mac(number) };
            phone::Model { contact_id: contact_id.clone(), phone_mac }.into_active_model().reset_all()
        });
        let replaced = OnConflict::column(Column::ContactId).update_column(Column::PhoneMac).to_owned();
        phone::Entity::insert_many(rows).on_conflict(replaced).exec_without_returning(connection).await?;
    }
    Ok(())
}

/// The contacts that have this number.
pub(super) async fn owners<C: ConnectionTrait>(connection: &C, phone_mac: &str) -> Result<Vec<String>, DbErr> {
    let rows = phone::Entity::find()
        .filter(phone::Column::PhoneMac.eq(phone_mac))
        .order_by_asc(phone::Column::ContactId)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| row.contact_id).collect())
}

/// Records the numbers of contacts that were imported before numbers were recorded.
pub(crate) async fn backfill(database: &Database, secrets: &LocalSecrets) -> Result<(), DbErr> {
    let contacts = contact::Entity::find().count(database.reader()).await?;
    if contacts <= phone::Entity::find().count(database.reader()).await? {
        return Ok(());
    }
    let mut after = String::new();
    loop {
        let rows = contact::Entity::find()
            .filter(contact::Column::ContactId.gt(after.as_str()))
            .order_by_asc(contact::Column::ContactId)
            .limit(CONTACTS_A_STEP)
            .all(database.reader())
            .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after.clone_from(&last.contact_id);
        let numbers = rows.iter().filter_map(|row| {
            let details = Details::open(secrets.contact_key(), &row.contact_id, &row.sealed).ok()?;
            Some((row.contact_id.clone(), details.phone.clone()))
        });
        let transaction = database.begin().await?;
        record(&transaction, secrets, &numbers.collect::<Vec<_>>()).await?;
        tocsin_platform::database::commit(transaction, "notification.record_phones").await?;
    }
}

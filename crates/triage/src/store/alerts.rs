//! Released alerts: their references, the consents they relied on, and what was answered.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder,
};
use tocsin_domain::country::CountryCode;
use tocsin_domain::reference::{Reference, ShortCode};
use tocsin_platform::clock::from_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1 as event;
use tocsin_proto::triage::v1 as wire;
use uuid::Uuid;

use crate::entity::alert::{released, relied_on, response};
use crate::entity::ledger::counter;
use crate::error::TriageError;
use crate::sealed::{self, place};
use crate::store::cases::OpenCase;
use crate::vault::Vault;

/// The state of an alert that is out.
pub(crate) const RELEASED: &str = "released";
/// The state of an alert that was called back.
pub(crate) const WITHDRAWN: &str = "withdrawn";
/// How many random short codes are tried; one in a thousand million is taken already.
const SHORT_CODE_TRIES: usize = 8;

/// The case of the alert with this reference.
pub(crate) async fn case_of_reference<C: ConnectionTrait>(
    connection: &C,
    vault: &Vault,
    reference: &Reference,
) -> Result<Option<Uuid>, TriageError> {
    let found = released::Entity::find()
        .filter(released::Column::ReferenceHash.eq(reference_hash(vault, reference)))
        .one(connection)
        .await?;
    Ok(found.map(|alert| alert.case_id))
}

/// The hash by which a reference is found.
pub(crate) fn reference_hash(vault: &Vault, reference: &Reference) -> Vec<u8> {
    vault.lookup_hash("reference", &reference.to_string())
}

/// Where an alert's reference is sealed.
pub(crate) fn reference_place(case: Uuid, alert: Uuid) -> String {
    place("alerts", case, alert)
}

/// The next reference of a country, in the year of this moment.
pub(crate) async fn next_reference(
    transaction: &DatabaseTransaction,
    vault: &Vault,
    country: CountryCode,
    now: DateTime<Utc>,
) -> Result<Reference, TriageError> {
    let year = u16::try_from(now.year()).map_err(|_| TriageError::Foreign("the year of the clock"))?;
    let number = next_number(transaction, vault, &format!("{country}-{year}")).await?;
    Ok(Reference { country, year, number, revision: 0 })
}

/// The next number in the series of a country and year. The row stays locked until the transaction ends, so no number
/// is given twice.
async fn next_number(transaction: &DatabaseTransaction, vault: &Vault, series: &str) -> Result<u32, TriageError> {
    let series_hash = vault.lookup_hash("series", series);
    let first = counter::ActiveModel { series_hash: Set(series_hash.clone()), last_number: Set(0) };
    counter::Entity::insert(first)
        .on_conflict(OnConflict::column(counter::Column::SeriesHash).do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
    counter::Entity::update_many()
        .col_expr(counter::Column::LastNumber, Expr::col(counter::Column::LastNumber).add(1))
        .filter(counter::Column::SeriesHash.eq(series_hash.clone()))
        .exec(transaction)
        .await?;
    let row = counter::Entity::find_by_id(series_hash).one(transaction).await?;
    row.and_then(|row| u32::try_from(row.last_number).ok()).ok_or(TriageError::Foreign("the counter of references"))
}

/// A short code that no alert has.
pub(crate) async fn free_short_code(transaction: &DatabaseTransaction) -> Result<ShortCode, TriageError> {
    for _ in 0..SHORT_CODE_TRIES {
        let mut random = [0; 6];
        getrandom::fill(&mut random).map_err(|_| Failure::internal("NO_RANDOMNESS"))?;
        let code = ShortCode::generate(random);
        let taken = released::Entity::find().filter(released::Column::ShortCode.eq(code.to_string())).one(transaction);
        if taken.await?.is_none() {
            return Ok(code);
        }
    }
    Err(Failure::aborted("SHORT_CODE_TAKEN", "no free short code was found; try again").into())
}

/// Adds a released alert with the consents that it relied on.
pub(crate) async fn add(
    transaction: &DatabaseTransaction,
    alert: released::Model,
    consents: &[Uuid],
) -> Result<(), TriageError> {
    let alert_id = alert.alert_id;
    alert.into_active_model().reset_all().insert(transaction).await?;
    let rows: Vec<_> = consents
        .iter()
        .map(|consent| relied_on::ActiveModel { alert_id: Set(alert_id), consent_id: Set(*consent) })
        .collect();
    if !rows.is_empty() {
        relied_on::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Every alert of a case, in the order released.
pub(crate) async fn of_case<C: ConnectionTrait>(
    connection: &C,
    case: Uuid,
) -> Result<Vec<released::Model>, TriageError> {
    Ok(released::Entity::find()
        .filter(released::Column::CaseId.eq(case))
        .order_by_asc(released::Column::ReleasedAtMs)
        .order_by_asc(released::Column::AlertId)
        .all(connection)
        .await?)
}

/// The consents that each of these alerts relied on.
pub(crate) async fn consents_of<C: ConnectionTrait>(
    connection: &C,
    alerts: &[released::Model],
) -> Result<HashMap<Uuid, Vec<Uuid>>, TriageError> {
    let rows = relied_on::Entity::find()
        .filter(relied_on::Column::AlertId.is_in(alerts.iter().map(|alert| alert.alert_id)))
        .all(connection)
        .await?;
    let mut consents: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for row in rows {
        consents.entry(row.alert_id).or_default().push(row.consent_id);
    }
    Ok(consents)
}

/// Marks an alert withdrawn.
pub(crate) async fn withdraw(transaction: &DatabaseTransaction, alert: Uuid) -> Result<(), TriageError> {
    released::Entity::update_many()
        .col_expr(released::Column::State, Expr::value(WITHDRAWN))
        .filter(released::Column::AlertId.eq(alert))
        .exec(transaction)
        .await?;
    Ok(())
}

/// The alerts of a case as readers see them.
pub(crate) fn to_wire(case: &OpenCase, alerts: &[released::Model]) -> Result<Vec<wire::AlertSummary>, TriageError> {
    alerts
        .iter()
        .map(|alert| {
            let reference = sealed::open_text(&case.key, &reference_place(case.id(), alert.alert_id), &alert.sealed)?;
            Ok(wire::AlertSummary {
                alert_id: alert.alert_id.to_string(),
                reference,
                revision: u32::try_from(alert.revision).unwrap_or(0),
                short_code: alert.short_code.clone(),
                state: alert.state.clone(),
                released_at: Some(timestamp(from_ms(alert.released_at_ms))),
            })
        })
        .collect()
}

/// Keeps the newest version of what an organisation answered.
pub(crate) async fn record_response(
    transaction: &DatabaseTransaction,
    alert: Uuid,
    answered: &event::ResponseRecorded,
    at_ms: i64,
) -> Result<(), TriageError> {
    let version = i64::from(answered.version);
    let row = response::ActiveModel {
        alert_id: Set(alert),
        organisation_id: Set(answered.organisation_id.clone()),
        response: Set(answered.response.clone()),
        version: Set(version),
        at_ms: Set(at_ms),
    };
    let replace = OnConflict::columns([response::Column::AlertId, response::Column::OrganisationId])
        .update_columns([response::Column::Response, response::Column::Version, response::Column::AtMs])
        // One statement decides: two processes that take two answers at once end with the newer.
        .action_and_where(Expr::cust("excluded.version > responses.version"))
        .to_owned();
    response::Entity::insert(row).on_conflict(replace).exec_without_returning(transaction).await?;
    Ok(())
}

/// What organisations answered to these alerts.
pub(crate) async fn responses<C: ConnectionTrait>(
    connection: &C,
    alerts: &[released::Model],
) -> Result<Vec<wire::Response>, TriageError> {
    let rows = response::Entity::find()
        .filter(response::Column::AlertId.is_in(alerts.iter().map(|alert| alert.alert_id)))
        .order_by_asc(response::Column::AtMs)
        .all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| wire::Response {
            alert_id: row.alert_id.to_string(),
            organisation_id: row.organisation_id,
            response: row.response,
            at: Some(timestamp(from_ms(row.at_ms))),
        })
        .collect())
}

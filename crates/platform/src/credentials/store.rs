//! The statements of the store of keys.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
};
use tocsin_domain::role::Role;
use uuid::Uuid;

use super::cache::Known;
use super::entity::{ActiveModel, Column, Entity, Model};
use super::{KeyRecord, NewKey, Principal};
use crate::clock::{from_ms, to_ms};
use crate::database::DatabaseSettings;
use crate::failure::Failure;

/// The id of the first key: fixed, so that two replicas that start together cannot both make one.
pub(super) const BOOTSTRAP_ID: Uuid = Uuid::from_u128(1);
/// The longest name of a holder, in characters.
const NAME_CHARACTERS_MAX: usize = 100;

/// The settings without a schema of a service's own: every service must find the same store.
pub(super) fn settings(settings: &DatabaseSettings) -> DatabaseSettings {
    let mut settings = settings.clone();
    if let Some((base, query)) = settings.url.split_once('?') {
        let rest: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("schema=")).collect();
        settings.url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    }
    settings
}

/// Refuses what would make no usable key, field by field.
pub(super) fn check(new: &NewKey, now: DateTime<Utc>) -> Result<(), Failure> {
    let mut failure = Failure::invalid("KEY_INVALID", "no key was made: correct the fields named");
    let length = new.name.chars().count();
    if new.name.trim().is_empty() || length > NAME_CHARACTERS_MAX || new.name.chars().any(char::is_control) {
        failure = failure.field("name", "must be 1 to 100 characters, without control characters");
    }
    if new.roles.is_empty() {
        failure = failure.field("roles", "must name at least one role");
    }
    if new.expires_at.is_some_and(|expires| expires <= now) {
        failure = failure.field("expires_at", "must be in the future");
    }
    if failure.fields.is_empty() { Ok(()) } else { Err(failure) }
}

fn row(id: Uuid, hash: &[u8; 32], new: &NewKey, now_ms: i64) -> ActiveModel {
    let roles = new.roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    ActiveModel {
        id: Set(id),
        secret_hash: Set(hash.to_vec()),
        actor: Set(new.actor.to_string()),
        name: Set(new.name.clone()),
        roles: Set(roles),
        organisation: Set(new.organisation.as_ref().map(ToString::to_string)),
        country: Set(new.country.map(|country| country.to_string())),
        created_at_ms: Set(now_ms),
        expires_at_ms: Set(new.expires_at.map(to_ms)),
        revoked_at_ms: Set(None),
    }
}

/// Stores a key.
pub(super) async fn insert(
    connection: &impl ConnectionTrait,
    id: Uuid,
    hash: &[u8; 32],
    new: &NewKey,
    now_ms: i64,
) -> Result<(), DbErr> {
    Entity::insert(row(id, hash, new, now_ms)).exec_without_returning(connection).await.map(|_| ())
}

/// Stores the first administrator's key if there is no key at all; says whether it did.
pub(super) async fn insert_first(
    connection: &impl ConnectionTrait,
    hash: &[u8; 32],
    now_ms: i64,
) -> Result<bool, Failure> {
    if Entity::find().count(connection).await? > 0 {
        return Ok(false);
    }
    let actor = "bootstrap".parse().map_err(|_| Failure::internal("BOOTSTRAP_ACTOR"))?;
    let new = NewKey {
        actor,
        name: "Bootstrap administrator".to_owned(),
        roles: vec![Role::Administrator],
        organisation: None,
        country: None,
        expires_at: None,
    };
    let inserted = Entity::insert(row(BOOTSTRAP_ID, hash, &new, now_ms))
        .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    Ok(inserted > 0)
}

/// Marks a key as revoked; says whether there is such a key.
pub(super) async fn revoke(connection: &impl ConnectionTrait, id: Uuid, now_ms: i64) -> Result<bool, DbErr> {
    let changed = Entity::update_many()
        .col_expr(Column::RevokedAtMs, Expr::value(now_ms))
        .filter(Column::Id.eq(id))
        .filter(Column::RevokedAtMs.is_null())
        .exec(connection)
        .await?;
    if changed.rows_affected > 0 {
        return Ok(true);
    }
    Ok(Entity::find_by_id(id).one(connection).await?.is_some())
}

/// The key with this hash.
pub(super) async fn find(connection: &impl ConnectionTrait, hash: &[u8; 32]) -> Result<Option<Known>, DbErr> {
    let Some(row) = Entity::find().filter(Column::SecretHash.eq(hash.to_vec())).one(connection).await? else {
        return Ok(None);
    };
    let (expires_at_ms, revoked_at_ms) = (row.expires_at_ms, row.revoked_at_ms);
    Ok(Some(Known { principal: principal(row)?, expires_at_ms, revoked_at_ms }))
}

/// Every key, the newest first.
pub(super) async fn list(connection: &impl ConnectionTrait) -> Result<Vec<KeyRecord>, Failure> {
    let rows = Entity::find().order_by_desc(Column::CreatedAtMs).order_by_desc(Column::Id).all(connection).await?;
    rows.into_iter()
        .map(|row| {
            Ok(KeyRecord {
                id: row.id,
                created_at: from_ms(row.created_at_ms),
                expires_at: row.expires_at_ms.map(from_ms),
                revoked_at: row.revoked_at_ms.map(from_ms),
                principal: principal(row)?,
            })
        })
        .collect()
}

/// Reads a row's principal. A role of a newer release that this one does not know is left out, which only narrows it.
fn principal(row: Model) -> Result<Principal, DbErr> {
    Ok(Principal {
        actor: parse("actor", &row.actor)?,
        name: row.name,
        roles: row.roles.split(',').filter_map(|role| role.parse().ok()).collect(),
        organisation: row.organisation.map(|text| parse("organisation", &text)).transpose()?,
        country: row.country.map(|text| parse("country", &text)).transpose()?,
    })
}

fn parse<T: FromStr>(column: &str, text: &str) -> Result<T, DbErr> {
    text.parse().map_err(|_| DbErr::Type(format!("the column {column} of api_keys does not parse")))
}

//! Notices whose bulletin is lost or cannot be read: nothing can be said by them, so they end, explained, in a person's
//! hands. Left alone they would be claimed at the end of every lease for ever, and look as if they moved.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::language::{Language, LanguageTag};
use tocsin_domain::notice::NoticeState;
use tocsin_domain::tlp::Tlp;
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use tracing::error;
use uuid::Uuid;

use super::verdict::needs_a_person;
use crate::entity::{bulletin, notice};
use crate::handover;
use crate::office::Office;
use crate::render::BulletinKind;
use crate::store::{Change, update_notices};

/// Why such a notice has ended.
const BULLETIN_UNREADABLE: &str = "bulletin_unreadable";
/// The most notices that one claim names in the log.
const NAMED_MAX: usize = 20;

/// Ends those of these notices that this process still holds, and calls their coordinators.
pub(super) async fn end(office: &Office, notice_ids: &[Uuid]) -> Result<(), DbErr> {
    use notice::Column;
    if notice_ids.is_empty() {
        return Ok(());
    }
    let transaction = office.database.begin().await?;
    let rows = notice::Entity::find()
        .filter(Column::NoticeId.is_in(notice_ids.iter().copied()))
        // Another process that has taken one over looks for itself.
        .filter(Column::LeaseOwner.eq(office.engine.owner))
        .order_by_asc(Column::NoticeId)
        .lock_exclusive()
        .all(&transaction)
        .await?;
    let now = agreed_now(&transaction, &office.clock).await?;
    let bulletins = stored(&transaction, &rows).await?;
    let mut changes = Vec::with_capacity(rows.len());
    let mut failed = BTreeMap::new();
    for row in &rows {
        let key = (row.bulletin_id, row.revision);
        let change = change(row, bulletins.get(&key), to_ms(now));
        if change.handed_to.is_some() && row.handed_to.is_none() {
            failed.extend(bulletins.get(&key).map(|about| (key, about)));
        }
        changes.push(change);
    }
    update_notices(&transaction, &changes).await?;
    call(office, &transaction, failed.into_values(), now).await?;
    tocsin_platform::database::commit(transaction, "notification.end_unreadable").await?;
    tell(&changes);
    office.progress.wake();
    office.engine.wake();
    Ok(())
}

/// The rows of their bulletins as far as there are any, read as they stand.
async fn stored<C: ConnectionTrait>(
    connection: &C,
    rows: &[notice::Model],
) -> Result<BTreeMap<(Uuid, i32), bulletin::Model>, DbErr> {
    let ids = rows.iter().map(|row| row.bulletin_id);
    let found = bulletin::Entity::find().filter(bulletin::Column::BulletinId.is_in(ids)).all(connection).await?;
    Ok(found.into_iter().map(|row| ((row.bulletin_id, row.revision), row)).collect())
}

fn change(row: &notice::Model, about: Option<&bulletin::Model>, now_ms: i64) -> Change {
    let (state, reason) = end_of(row);
    let by_hand = state.parse().is_ok_and(needs_a_person);
    let name = about.map(|about| about.coordinator_name.clone()).filter(|name| !name.is_empty());
    Change {
        notice_id: row.notice_id,
        state,
        reason,
        attempts: row.attempts,
        next_at_ms: None,
        handed_to: row.handed_to.clone().or_else(|| name.filter(|_| by_hand)),
        provider_id: row.provider_id.clone(),
        version: row.version + 1,
        owed_since_ms: is_reported(row, about).then_some(now_ms).or(row.owed_since_ms),
        changed_at_ms: now_ms,
    }
}

/// What was withdrawn meanwhile ends as that. News that came first, as an early receipt, stays.
fn end_of(row: &notice::Model) -> (String, Option<String>) {
    if row.state != NoticeState::Queued.as_str() {
        return (row.state.clone(), row.reason.clone());
    }
    match &row.withdrawn_reason {
        Some(reason) => (NoticeState::Withdrawn.as_str().to_owned(), Some(reason.clone())),
        None => (NoticeState::FailedTemporary.as_str().to_owned(), Some(BULLETIN_UNREADABLE.to_owned())),
    }
}

/// Dispatch is told of alerts only. Of a bulletin that does not even say its kind, what goes to an organisation is one.
fn is_reported(row: &notice::Model, about: Option<&bulletin::Model>) -> bool {
    let kind = about.and_then(|about| BulletinKind::parse(&about.kind));
    kind.map_or(!row.organisation_id.is_empty(), |kind| kind == BulletinKind::Alert)
}

/// Calls the coordinators of alerts; a bulletin to staff names none.
async fn call<C: ConnectionTrait>(
    office: &Office,
    connection: &C,
    failed: impl Iterator<Item = &bulletin::Model>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for about in failed {
        handover::call(office, connection, &legible(about), now).await?;
    }
    Ok(())
}

/// What a call to the coordinator needs of a bulletin, with the strictest in place of what cannot be read.
fn legible(about: &bulletin::Model) -> bulletin::Model {
    let tlp = if about.tlp.parse::<Tlp>().is_ok() { about.tlp.as_str() } else { Tlp::Red.as_str() };
    let known = about.source_language.parse::<LanguageTag>().is_ok();
    let language = if known { about.source_language.as_str() } else { Language::En.as_str() };
    bulletin::Model { tlp: tlp.to_owned(), source_language: language.to_owned(), ..about.clone() }
}

fn tell(changes: &[Change]) {
    for change in changes.iter().take(NAMED_MAX) {
        let state = change.state.as_str();
        error!(notice_id = %change.notice_id, state, "a notice ends because its bulletin cannot be read");
    }
    error!(
        count = changes.len(),
        "notices ended because their bulletins cannot be read; mend them, then `tocsin notice redrive`"
    );
}

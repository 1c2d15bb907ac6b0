//! What a bounce changes: its notice ends and goes to a person, and an address that keeps bouncing is suppressed.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};
use tocsin_domain::notice::{NoticeState, advance};
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use uuid::Uuid;

use super::rows::{bounce, suppression};
use super::suppressions::{Kind, suppress};
use super::tokens::Named;
use crate::channel::{BounceClass, EnhancedStatus};
use crate::contact::Details;
use crate::engine::needs_a_person;
use crate::entity::{contact, notice};
use crate::handover;
use crate::office::Office;
use crate::store::{Change, update_notices};

const HOUR_MS: i64 = 3_600_000;

/// A failure that speaks of an address.
#[derive(Debug, Clone)]
pub(crate) struct Bounce<'a> {
    pub(crate) notice_id: Uuid,
    pub(crate) contact_id: &'a str,
    pub(crate) address_mac: String,
    pub(crate) class: BounceClass,
    pub(crate) status: EnhancedStatus,
}

/// Counts a refusal that came during the dialogue; the notice itself ends where attempts are recorded.
pub(crate) async fn refused(office: &Office, bounce: &Bounce<'_>) -> Result<(), DbErr> {
    let transaction = office.database.begin().await?;
    let now = agreed_now(&transaction, &office.clock).await?;
    count(office, &transaction, bounce, now).await?;
    tocsin_platform::database::commit(transaction, "notification.count_refusal").await
}

/// Records a bounce that came back as a report. The notice ends whatever its contact's address is by now; only a bounce of
/// that address counts against it.
pub(super) async fn reported(office: &Office, named: &Named, status: EnhancedStatus) -> Result<(), DbErr> {
    let Some(class) = status.bounce() else { return Ok(()) };
    let notice_id = named.notice_id;
    let transaction = office.database.begin().await?;
    let row = notice::Entity::find_by_id(notice_id).lock_exclusive().one(&transaction).await?;
    // A token of ours whose notice is gone: the database was restored to an earlier moment.
    let Some(row) = row else { return Ok(()) };
    let now = agreed_now(&transaction, &office.clock).await?;
    let contact = contact::Entity::find_by_id(row.contact_id.as_str()).one(&transaction).await?;
    let details = contact
        .and_then(|contact| Details::open(office.secrets.contact_key(), &contact.contact_id, &contact.sealed).ok());
    if let Some(details) = details.filter(|details| named.is_of(&office.secrets, &details.email)) {
        let address_mac = office.secrets.address_mac(&details.email);
        let contact_id = row.contact_id.as_str();
        count(office, &transaction, &Bounce { notice_id, contact_id, address_mac, class, status }, now).await?;
    }
    end(office, &transaction, row, class, status, now).await?;
    tocsin_platform::database::commit(transaction, "notification.record_bounce").await?;
    office.progress.wake();
    office.engine.wake();
    Ok(())
}

async fn end<C: ConnectionTrait>(
    office: &Office,
    connection: &C,
    row: notice::Model,
    class: BounceClass,
    status: EnhancedStatus,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let Some(bulletin) = office.bulletin(connection, row.bulletin_id, row.revision).await? else { return Ok(()) };
    let news = match class {
        BounceClass::Hard => NoticeState::RejectedPermanent,
        BounceClass::Soft => NoticeState::FailedTemporary,
    };
    let current = row.state.parse().unwrap_or(NoticeState::Queued);
    let state = advance(current, news);
    if state == current {
        return Ok(());
    }
    let by_hand = handover::name_for(&bulletin).filter(|_| needs_a_person(state) && row.handed_to.is_none());
    let called = by_hand.is_some();
    let now_ms = to_ms(now);
    let change = Change {
        notice_id: row.notice_id,
        state: state.as_str().to_owned(),
        reason: Some(format!("bounced_{status}")),
        attempts: row.attempts,
        next_at_ms: None,
        handed_to: row.handed_to.or(by_hand),
        provider_id: row.provider_id,
        version: row.version + 1,
        owed_since_ms: bulletin.is_reported().then_some(now_ms),
        changed_at_ms: now_ms,
    };
    update_notices(connection, &[change]).await?;
    if called {
        handover::call_coordinators(office, connection, &[bulletin], now).await?;
    }
    Ok(())
}

/// Adds the bounce to those of its address, and suppresses the address when they are too many.
async fn count<C: ConnectionTrait>(
    office: &Office,
    connection: &C,
    new: &Bounce<'_>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let rules = &office.config.email.bounces;
    let now_ms = to_ms(now);
    let window_ms = i64::from(rules.window_hours) * HOUR_MS;
    record(connection, new, now_ms, now_ms - window_ms).await?;
    let counted = bounce::Entity::find()
        .filter(bounce::Column::ContactId.eq(new.contact_id))
        .filter(bounce::Column::AddressMac.eq(new.address_mac.as_str()))
        .all(connection)
        .await?;
    let hard = counted.iter().filter(|one| one.class == BounceClass::Hard.as_str()).count();
    let reached = |count: usize, max: u32| u32::try_from(count).is_ok_and(|count| count >= max);
    let (kind, until_ms) = if reached(hard, rules.hard_max) {
        (Kind::HardBounces, None)
    } else if reached(counted.len(), rules.soft_max) {
        (Kind::SoftBounces, Some(now_ms + i64::from(rules.rest_hours) * HOUR_MS))
    } else {
        return Ok(());
    };
    let row = suppression::Model {
        contact_id: new.contact_id.to_owned(),
        address_mac: new.address_mac.clone(),
        kind: kind.as_str().to_owned(),
        detail: new.status.to_string(),
        since_ms: now_ms,
        until_ms,
    };
    if suppress(connection, row).await? {
        tracing::warn!(
            channel = "email",
            reason = kind.as_str(),
            status = %new.status,
            "an address keeps bouncing and is suppressed; the list of suppressions shows whose"
        );
    }
    Ok(())
}

/// Writes the bounce; what is too old to count goes.
async fn record<C: ConnectionTrait>(
    connection: &C,
    new: &Bounce<'_>,
    now_ms: i64,
    counts_from_ms: i64,
) -> Result<(), DbErr> {
    bounce::Entity::delete_many()
        .filter(bounce::Column::ContactId.eq(new.contact_id))
        .filter(bounce::Column::AtMs.lt(counts_from_ms))
        .exec(connection)
        .await?;
    let row = bounce::Model {
        notice_id: new.notice_id,
        contact_id: new.contact_id.to_owned(),
        address_mac: new.address_mac.clone(),
        class: new.class.as_str().to_owned(),
        status: new.status.to_string(),
        at_ms: now_ms,
    };
    // The same report may come twice, and a refusal may be followed by a report: it is one bounce, as hard as the hardest.
    let mut once = OnConflict::column(bounce::Column::NoticeId);
    if new.class == BounceClass::Hard {
        once.update_columns([bounce::Column::Class, bounce::Column::Status]);
    } else {
        once.do_nothing();
    }
    let active = row.into_active_model().reset_all();
    bounce::Entity::insert(active).on_conflict(once).exec_without_returning(connection).await.map(|_| ())
}

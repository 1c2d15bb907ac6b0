//! Alerts: by id, by the names that people use, by place in the feed, and page by page.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select,
};
use tocsin_domain::id::OrganisationId;
use uuid::Uuid;

use crate::entity::{alert, recipient};

/// The state of an alert that was stopped or whose consent ended.
pub(crate) const WITHDRAWN: &str = "withdrawn";
/// The state of an alert that may be read.
pub(crate) const RELEASED: &str = "released";

/// How a person or program names an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AlertName {
    /// Its id.
    Id(Uuid),
    /// Its short code, as `A7F3-K2W`.
    ShortCode(String),
    /// The keyed hash of its reference.
    ReferenceMac(Vec<u8>),
}

/// More alerts than this never share a name that one could read.
const NAMESAKES_MAX: u64 = 20;

/// One alert, or its tombstone.
pub(crate) async fn find<C: ConnectionTrait>(connection: &C, alert: Uuid) -> Result<Option<alert::Model>, DbErr> {
    alert::Entity::find_by_id(alert).one(connection).await
}

/// The newest alert with this name that this reader may see.
pub(crate) async fn find_named<C: ConnectionTrait>(
    connection: &C,
    name: &AlertName,
    reader: Option<&OrganisationId>,
) -> Result<Option<alert::Model>, DbErr> {
    let named = match name {
        AlertName::Id(id) => alert::Column::AlertId.eq(*id),
        AlertName::ShortCode(code) => alert::Column::ShortCode.eq(code.as_str()),
        AlertName::ReferenceMac(mac) => alert::Column::ReferenceMac.eq(mac.clone()),
    };
    visible(reader).filter(named).order_by_desc(alert::Column::ReleasedAtMs).limit(NAMESAKES_MAX).one(connection).await
}

/// The changes after a position, in the order of the feed.
pub(crate) async fn changed_after<C: ConnectionTrait>(
    connection: &C,
    position: i64,
    reader: Option<&OrganisationId>,
    limit: u64,
) -> Result<Vec<alert::Model>, DbErr> {
    visible(reader)
        .filter(alert::Column::FeedPosition.gt(position))
        .order_by_asc(alert::Column::FeedPosition)
        .limit(limit)
        .all(connection)
        .await
}

/// One page, the newest first; `before` is the id of the last alert of the page before.
pub(crate) async fn page<C: ConnectionTrait>(
    connection: &C,
    before: Option<Uuid>,
    reader: Option<&OrganisationId>,
    limit: u64,
) -> Result<Vec<alert::Model>, DbErr> {
    let mut select = visible(reader);
    if let Some(before) = before {
        select = select.filter(alert::Column::AlertId.lt(before));
    }
    // Ids are UUIDs of version 7, so their order is the order of time.
    select.order_by_desc(alert::Column::AlertId).limit(limit).all(connection).await
}

/// Alerts with content that a reader may see: an organisation those of which it is a recipient, at the revision that it
/// received or withdrawn; staff (`None`) all.
fn visible(reader: Option<&OrganisationId>) -> Select<alert::Entity> {
    let select = alert::Entity::find().filter(alert::Column::Content.is_not_null());
    let Some(reader) = reader else { return select };
    let same_alert = Expr::col((recipient::Entity, recipient::Column::AlertId))
        .eq(Expr::col((alert::Entity, alert::Column::AlertId)));
    let same_revision = Expr::col((recipient::Entity, recipient::Column::Revision))
        .eq(Expr::col((alert::Entity, alert::Column::ContentRevision)));
    let received = Query::select()
        .expr(Expr::val(1))
        .from(recipient::Entity)
        .and_where(same_alert)
        .and_where(recipient::Column::OrganisationId.eq(reader.as_str()))
        .cond_where(Condition::any().add(same_revision).add(alert::Column::State.eq(WITHDRAWN)))
        .to_owned();
    select.filter(Expr::exists(received))
}

/// Whether one recipient may read the alert as it is.
pub(crate) fn may_read(alert: &alert::Model, recipient: &recipient::Model) -> bool {
    alert.content.is_some() && (recipient.revision == alert.content_revision || alert.state == WITHDRAWN)
}

/// Whether an alert is over: withdrawn, or a consent on which it relies has expired and it soon will be.
pub(crate) fn is_over(alert: &alert::Model, now_ms: i64) -> bool {
    alert.state == WITHDRAWN || alert.consent_expires_at_ms.is_some_and(|expiry| expiry <= now_ms)
}

/// When the next consent of a released alert expires, or did.
pub(crate) async fn first_consent_expiry<C: ConnectionTrait>(connection: &C) -> Result<Option<i64>, DbErr> {
    let first = released_until_expiry().select_only().column(alert::Column::ConsentExpiresAtMs);
    Ok(first.into_tuple::<Option<i64>>().one(connection).await?.flatten())
}

/// Released alerts whose consent has expired by then, the earliest first, at most `limit`.
pub(crate) async fn consent_expired<C: ConnectionTrait>(
    connection: &C,
    now_ms: i64,
    limit: u64,
) -> Result<Vec<alert::Model>, DbErr> {
    released_until_expiry().filter(alert::Column::ConsentExpiresAtMs.lte(now_ms)).limit(limit).all(connection).await
}

/// Released alerts whose consent expires one day, the earliest first.
fn released_until_expiry() -> Select<alert::Entity> {
    alert::Entity::find()
        .filter(alert::Column::State.eq(RELEASED))
        .filter(alert::Column::ConsentExpiresAtMs.is_not_null())
        .order_by_asc(alert::Column::ConsentExpiresAtMs)
}

/// Creates an alert or replaces it as a whole.
pub(crate) async fn put<C: ConnectionTrait>(connection: &C, alert: alert::Model) -> Result<(), DbErr> {
    use alert::Column;
    let replace = OnConflict::column(Column::AlertId)
        .update_columns([
            Column::Revision,
            Column::ShortCode,
            Column::ReferenceMac,
            Column::Priority,
            Column::Tlp,
            Column::ReleasedAtMs,
            Column::DeadlineAtMs,
            Column::Drill,
            Column::ConsentExpiresAtMs,
            Column::State,
            Column::WithdrawnReason,
            Column::WithdrawnAtMs,
            Column::Content,
            Column::ContentRevision,
            Column::FeedPosition,
            Column::FeedChange,
            Column::FeedAtMs,
        ])
        .to_owned();
    let row = alert.into_active_model().reset_all();
    alert::Entity::insert(row).on_conflict(replace).exec_without_returning(connection).await.map(|_| ())
}

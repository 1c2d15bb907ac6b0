//! `GetNoticeProgress`: how far the notices of an alert have come, counted by the database.

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect};
use tocsin_platform::clock::from_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{GetNoticeProgressResponse, NoticeCount};
use uuid::Uuid;

use crate::entity::{attempt, bulletin, notice};
use crate::office::Office;
use crate::selection::{alert, invalid};

/// First and last moment of attempts, and how many there were.
type Span = (Option<i64>, Option<i64>, i64);
/// When the next is due, and how many are.
type Due = (Option<i64>, i64);

pub(super) async fn get_notice_progress(office: &Office, given: &str) -> Result<GetNoticeProgressResponse, Failure> {
    use notice::Column;
    let reader = office.database.reader();
    let id = alert(reader, given).await?;
    let id = id.ok_or_else(|| invalid("alert_id", "name the alert, by its id or its short code"))?;
    let known = bulletin::Entity::find().filter(bulletin::Column::BulletinId.eq(id)).one(reader).await?;
    let known =
        known.ok_or_else(|| Failure::not_found("UNKNOWN_ALERT", "no notices of such an alert are known here"))?;
    let counts: Vec<(i32, String, String, i64)> = notice::Entity::find()
        .select_only()
        .columns([Column::Revision])
        .columns([Column::Channel, Column::State])
        .column_as(Column::NoticeId.count(), "notices")
        .filter(Column::BulletinId.eq(id))
        .group_by(Column::Revision)
        .group_by(Column::Channel)
        .group_by(Column::State)
        .order_by_asc(Column::Revision)
        .order_by_asc(Column::Channel)
        .order_by_asc(Column::State)
        .into_tuple()
        .all(reader)
        .await?;
    let (first, last, attempts) = span(reader, id).await?;
    let (next, still_due) = due(reader, id).await?;
    let moment = |at: i64| timestamp(from_ms(at));
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let counts = counts.into_iter().map(|(revision, channel, state, notices)| NoticeCount {
        revision: u32::try_from(revision).unwrap_or(0),
        channel,
        state,
        notices: count(notices),
    });
    Ok(GetNoticeProgressResponse {
        alert_id: id.to_string(),
        short_code: known.short_code,
        counts: counts.collect(),
        first_attempt_at: first.map(moment),
        last_attempt_at: last.map(moment),
        attempts: count(attempts),
        still_due: count(still_due),
        next_due_at: next.map(moment),
    })
}

async fn span<C: ConnectionTrait>(connection: &C, alert_id: Uuid) -> Result<Span, DbErr> {
    let found: Option<Span> = attempt::Entity::find()
        .select_only()
        .column_as(attempt::Column::StartedAtMs.min(), "first")
        .column_as(attempt::Column::EndedAtMs.max(), "last")
        .column_as(attempt::Column::AttemptId.count(), "attempts")
        .join(
            JoinType::InnerJoin,
            attempt::Entity::belongs_to(notice::Entity)
                .from(attempt::Column::NoticeId)
                .to(notice::Column::NoticeId)
                .into(),
        )
        .filter(notice::Column::BulletinId.eq(alert_id))
        .into_tuple()
        .one(connection)
        .await?;
    Ok(found.unwrap_or_default())
}

async fn due<C: ConnectionTrait>(connection: &C, alert_id: Uuid) -> Result<Due, DbErr> {
    use notice::Column;
    let found: Option<Due> = notice::Entity::find()
        .select_only()
        .column_as(Column::NextAtMs.min(), "next")
        .column_as(Column::NoticeId.count(), "due")
        .filter(Column::BulletinId.eq(alert_id))
        .filter(Column::NextAtMs.is_not_null())
        .into_tuple()
        .one(connection)
        .await?;
    Ok(found.unwrap_or_default())
}

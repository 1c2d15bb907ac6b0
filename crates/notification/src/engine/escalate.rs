//! A contact whose channel fails is not left to wait: the next one starts at once instead of after its 90 seconds, while
//! retries on the first go on.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::channel::may_reach_at;
use tocsin_domain::notice::NoticeState;
use tocsin_platform::clock::to_ms;
use uuid::Uuid;

use super::verdict::needs_a_person;
use super::{Done, Ready};
use crate::channel::Outcome;
use crate::entity::notice;
use crate::expand::NEXT_CHANNEL;
use crate::render::BulletinKind;

/// Whether this end of an attempt, which left the notice in `state`, means that the contact is not reached by it: it has
/// failed for good, or its destination fails as a whole.
pub(super) fn is_called_for(done: &Done, state: NoticeState) -> bool {
    let failed = matches!(done.outcome, Outcome::Temporary { .. } | Outcome::Refused { .. });
    done.ready.notice.lane == 0
        && done.ready.bulletin.facts.kind == BulletinKind::Alert
        && (needs_a_person(state) || (done.degraded && failed && state == NoticeState::Queued))
}

/// Makes the next channel of each of these contacts due now, or at the end of its quiet hours.
pub(super) async fn start_next_channels<C: ConnectionTrait>(
    connection: &C,
    failed: &[&Ready],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    use notice::Column;
    if failed.is_empty() {
        return Ok(());
    }
    let waiting = notice::Entity::find()
        .filter(Column::BulletinId.is_in(failed.iter().map(|ready| ready.notice.bulletin_id)))
        .filter(Column::ContactId.is_in(failed.iter().map(|ready| ready.notice.contact_id.as_str())))
        .filter(Column::Reason.eq(NEXT_CHANNEL))
        .filter(Column::State.eq(NoticeState::Queued.as_str()))
        .filter(Column::LeaseOwner.is_null())
        .filter(Column::NextAtMs.gt(to_ms(now)))
        .order_by_asc(Column::NextAtMs)
        // Whoever holds one is claiming or withdrawing it.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(connection)
        .await?;
    let mut by_due: BTreeMap<i64, Vec<Uuid>> = BTreeMap::new();
    for ready in failed {
        let next = waiting.iter().find(|row| is_of_the_same(row, &ready.notice));
        let Some(next) = next else { continue };
        let due = ready
            .recipient
            .as_ref()
            .map_or(now, |recipient| may_reach_at(&recipient.channels(), ready.bulletin.facts.priority, now));
        by_due.entry(to_ms(due)).or_default().push(next.notice_id);
    }
    for (due_ms, ids) in by_due {
        notice::Entity::update_many()
            .col_expr(Column::NextAtMs, Expr::value(due_ms))
            .filter(Column::NoticeId.is_in(ids))
            .exec(connection)
            .await?;
    }
    Ok(())
}

fn is_of_the_same(row: &notice::Model, failed: &notice::Model) -> bool {
    (row.bulletin_id, row.revision, &row.contact_id) == (failed.bulletin_id, failed.revision, &failed.contact_id)
}

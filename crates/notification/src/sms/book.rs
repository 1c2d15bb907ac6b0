//! The rows of submissions, watches and early receipts.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};
use tocsin_domain::notice::NoticeState;
use uuid::Uuid;

use super::MessageId;
use super::ledger::Step;
use crate::entity::sms::{early_receipt, submission, watch};
use crate::entity::{bulletin, notice, withdrawal};
use crate::sizes::{filled, in_sizes};

/// Submissions by notice.
pub(crate) type Submissions = BTreeMap<Uuid, Vec<submission::Model>>;

/// The submissions of these notices, locked until the transaction ends, always in the same order.
pub(crate) async fn lock<C: ConnectionTrait>(connection: &C, notices: &[Uuid]) -> Result<Submissions, DbErr> {
    use submission::Column;
    let rows = submission::Entity::find()
        .filter(Column::NoticeId.is_in(filled(notices.to_vec())))
        .order_by_asc(Column::NoticeId)
        .order_by_asc(Column::Gateway)
        .lock_exclusive()
        .all(connection)
        .await?;
    let mut found = Submissions::new();
    for row in rows {
        found.entry(row.notice_id).or_default().push(row);
    }
    Ok(found)
}

/// Writes submissions as they are now.
pub(crate) async fn save<C: ConnectionTrait>(connection: &C, rows: &[submission::Model]) -> Result<(), DbErr> {
    use submission::Column;
    let replaced = OnConflict::columns([Column::NoticeId, Column::Gateway])
        .update_columns([
            Column::Tries,
            Column::OpenSinceMs,
            Column::Unknown,
            Column::MessageId,
            Column::TakenAtMs,
            Column::AcceptedAtMs,
            Column::Heard,
            Column::Failed,
            Column::Refused,
            Column::NextTryAtMs,
        ])
        .to_owned();
    for some in in_sizes(rows) {
        let active = some.iter().map(|row| row.clone().into_active_model().reset_all());
        submission::Entity::insert_many(active)
            .on_conflict(replaced.clone())
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

/// Writes when notices are looked at again, or that nobody looks any more.
pub(crate) async fn watch_for<C: ConnectionTrait>(
    connection: &C,
    steps: &[(Uuid, Step, i64)],
    now_ms: i64,
) -> Result<(), DbErr> {
    use watch::Column;
    let (mut looks, mut rests) = (Vec::new(), Vec::new());
    for (notice_id, step, give_up_at_ms) in steps {
        let look_at_ms = match step {
            Step::Rest | Step::End(..) => {
                rests.push(*notice_id);
                continue;
            }
            Step::LookAt(at) => *at,
            Step::SendNow => now_ms,
        };
        looks.push(watch::Model { notice_id: *notice_id, look_at_ms, give_up_at_ms: *give_up_at_ms });
    }
    if !rests.is_empty() {
        watch::Entity::delete_many().filter(Column::NoticeId.is_in(filled(rests))).exec(connection).await?;
    }
    // The first submit decides when nobody waits any more.
    let later = OnConflict::column(Column::NoticeId).update_column(Column::LookAtMs).to_owned();
    for some in in_sizes(&looks) {
        let active = some.iter().map(|row| row.clone().into_active_model().reset_all());
        watch::Entity::insert_many(active).on_conflict(later.clone()).exec_without_returning(connection).await?;
    }
    Ok(())
}

/// When nobody waits for a receipt of these notices any more, as far as they are watched.
pub(crate) async fn give_up_times<C: ConnectionTrait>(
    connection: &C,
    notices: &[Uuid],
) -> Result<HashMap<Uuid, i64>, DbErr> {
    let rows =
        watch::Entity::find().filter(watch::Column::NoticeId.is_in(filled(notices.to_vec()))).all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.notice_id, row.give_up_at_ms)).collect())
}

/// The notice that a gateway means by its own id of a message, however it writes it; none when it is not known yet, or
/// when another form of the id fits several.
pub(crate) async fn by_message<C: ConnectionTrait>(
    connection: &C,
    gateway: &str,
    id: &MessageId,
) -> Result<Option<Uuid>, DbErr> {
    use submission::Column;
    let rows: Vec<(Uuid, Option<String>)> = submission::Entity::find()
        .select_only()
        .column(Column::NoticeId)
        .column(Column::MessageId)
        .filter(Column::Gateway.eq(gateway))
        .filter(Column::MessageId.is_in(id.forms()))
        .limit(3)
        .into_tuple()
        .all(connection)
        .await?;
    let exact = rows.iter().find(|(_, known)| known.as_deref() == Some(id.as_str()));
    Ok(exact.or_else(|| rows.first().filter(|_| rows.len() == 1)).map(|(notice_id, _)| *notice_id))
}

/// Keeps a receipt of a message that is not known yet; of several, the stronger one.
pub(crate) async fn keep_early<C: ConnectionTrait>(
    connection: &C,
    gateway: &str,
    id: &MessageId,
    news: NoticeState,
    now_ms: i64,
) -> Result<(), DbErr> {
    use early_receipt::Column;
    use sea_orm::sea_query::ExprTrait as _;
    let row = early_receipt::Model {
        gateway: gateway.to_owned(),
        message_id: id.as_str().to_owned(),
        state: news.as_str().to_owned(),
        received_at_ms: now_ms,
    };
    // Compared where it is written: another process may keep its receipt of the same message at this moment.
    let weaker = NoticeState::ALL.iter().filter(|known| **known < news).map(|known| known.as_str());
    let stronger = OnConflict::columns([Column::Gateway, Column::MessageId])
        .update_column(Column::State)
        .action_and_where(Expr::col((early_receipt::Entity, Column::State)).is_in(weaker))
        .to_owned();
    let row = row.into_active_model().reset_all();
    early_receipt::Entity::insert(row).on_conflict(stronger).exec_without_returning(connection).await.map(|_| ())
}

/// The ids, of messages that gateways told or that are known, under which a receipt came before its message was known:
/// mostly none.
pub(crate) async fn early_ids<'a, C: ConnectionTrait>(
    connection: &C,
    gateways: BTreeSet<&str>,
    told: impl Iterator<Item = &'a str>,
    known: &Submissions,
) -> Result<HashSet<String>, DbErr> {
    use early_receipt::Column;
    let known = known.values().flatten().filter_map(|row| row.message_id.as_deref());
    let ids = told.map(str::to_owned).chain(known.map(str::to_owned));
    let forms: BTreeSet<String> = ids.filter_map(|id| MessageId::parse(&id)).flat_map(|id| id.forms()).collect();
    if forms.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<String> = early_receipt::Entity::find()
        .select_only()
        .column(Column::MessageId)
        .filter(Column::Gateway.is_in(gateways))
        .filter(Column::MessageId.is_in(filled(forms.into_iter().collect())))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Takes the receipt that came before its message was known, if one did.
pub(crate) async fn early<C: ConnectionTrait>(
    connection: &C,
    gateway: &str,
    id: &MessageId,
) -> Result<Option<NoticeState>, DbErr> {
    use early_receipt::Column;
    let rows = early_receipt::Entity::find()
        .filter(Column::Gateway.eq(gateway))
        .filter(Column::MessageId.is_in(id.forms()))
        .limit(3)
        .all(connection)
        .await?;
    let exact = rows.iter().find(|row| row.message_id == id.as_str());
    let Some(row) = exact.or_else(|| rows.first().filter(|_| rows.len() == 1)) else { return Ok(None) };
    early_receipt::Entity::delete_by_id((row.gateway.clone(), row.message_id.clone())).exec(connection).await?;
    Ok(row.state.parse().ok())
}

/// Which of these notices somebody still needs: they are not withdrawn, of the newest revision, and their consent holds.
pub(crate) async fn is_needed<C: ConnectionTrait>(
    connection: &C,
    notices: &[notice::Model],
    now_ms: i64,
) -> Result<HashSet<Uuid>, DbErr> {
    let ids: HashSet<Uuid> = notices.iter().map(|row| row.bulletin_id).collect();
    let withdrawals = withdrawal::Entity::find()
        .filter(withdrawal::Column::BulletinId.is_in(ids.iter().copied()))
        .all(connection)
        .await?;
    let bulletins: Vec<(Uuid, i32, Option<i64>)> = bulletin::Entity::find()
        .select_only()
        .columns([bulletin::Column::BulletinId, bulletin::Column::Revision, bulletin::Column::ConsentExpiresAtMs])
        .filter(Condition::all().add(bulletin::Column::BulletinId.is_in(ids)))
        .into_tuple()
        .all(connection)
        .await?;
    let mut newest: HashMap<Uuid, i32> = HashMap::new();
    for (id, revision, ..) in &bulletins {
        let known = newest.entry(*id).or_insert(*revision);
        *known = (*known).max(*revision);
    }
    let needed = notices.iter().filter(|row| {
        let withdrawn = withdrawals.iter().any(|one| {
            one.bulletin_id == row.bulletin_id
                && one.revision >= row.revision
                && (one.organisation_id.is_empty() || one.organisation_id == row.organisation_id)
        });
        let open = bulletins.iter().any(|(id, revision, consent_expires_at_ms)| {
            *id == row.bulletin_id
                && *revision == row.revision
                && consent_expires_at_ms.is_none_or(|at_ms| at_ms > now_ms)
        });
        let superseded = newest.get(&row.bulletin_id).is_some_and(|newest| *newest > row.revision);
        row.withdrawn_reason.is_none() && !withdrawn && open && !superseded
    });
    Ok(needed.map(|row| row.notice_id).collect())
}

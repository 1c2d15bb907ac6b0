//! Redrive: what ended without having reached anybody is sent again by a person's word, with a fresh schedule, while its
//! alert is still news. Set-based, in transactions of a bounded size.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::channel::{Channel, may_reach_at};
use tocsin_domain::notice::NoticeState;
use tocsin_platform::clock::{from_ms, to_ms};
use tocsin_platform::database::agreed_now;
use uuid::Uuid;

use crate::bulletin::Bulletin;
use crate::changes::{self, By};
use crate::contact::Recipient;
use crate::entity::people::change;
use crate::entity::sms::{submission, watch};
use crate::entity::{bulletin, notice, withdrawal};
use crate::expand::NO_CHANNEL;
use crate::office::Office;
use crate::render::BulletinKind;
use crate::selection::Selection;
use crate::store::{Change, serialise_bulletin, update_notices};

/// Notices in one transaction.
const BATCH_MAX: u64 = 1_000;
/// The reason of a notice that waits for its next attempt after a redrive.
const REDRIVEN: &str = "redriven";

/// Ends from which there is a way back: nobody wished for them.
const REDRIVABLE: [NoticeState; 4] =
    [NoticeState::FailedTemporary, NoticeState::RejectedPermanent, NoticeState::Expired, NoticeState::UnknownNoReceipt];

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Redriven {
    /// How many are sent again, by the state that they had.
    pub(crate) by_state: BTreeMap<String, u64>,
    /// How many are left alone, by the reason.
    pub(crate) left: BTreeMap<&'static str, u64>,
}

/// Counts what a redrive would do.
pub(crate) async fn count(office: &Office, selection: &Selection) -> Result<Redriven, DbErr> {
    let (reader, mut redriven, mut after) = (office.database.reader(), Redriven::default(), Uuid::nil());
    let now = agreed_now(reader, &office.clock).await?;
    loop {
        let rows = page(reader, selection, after).await?;
        let Some(last) = rows.last() else { return Ok(redriven) };
        after = last.notice_id;
        let known = Known::of(office, reader, &rows).await?;
        for row in &rows {
            known.judge(row, now, &mut redriven);
        }
    }
}

/// Sends again what may be sent.
pub(crate) async fn redrive(office: &Office, selection: &Selection, by: &By<'_>) -> Result<Redriven, DbErr> {
    let mut redriven = Redriven::default();
    let mut record = changes::blank(office, by, "notices.redrive", &selection.words());
    let mut after = Uuid::nil();
    loop {
        let candidates = page(office.database.reader(), selection, after).await?;
        let Some(last) = candidates.last() else { break };
        after = last.notice_id;
        redrive_batch(office, &candidates, &mut record, &mut redriven).await?;
    }
    let count: u64 = redriven.by_state.values().sum();
    if count > 0 {
        tracing::info!(actor_id = by.actor, reason = by.reason, count, "ended notices are sent again");
        office.engine.wake();
        office.progress.wake();
    }
    Ok(redriven)
}

async fn redrive_batch(
    office: &Office,
    candidates: &[notice::Model],
    record: &mut change::Model,
    redriven: &mut Redriven,
) -> Result<(), DbErr> {
    let transaction = office.database.begin().await?;
    let bulletins: BTreeSet<Uuid> = candidates.iter().map(|row| row.bulletin_id).collect();
    for bulletin_id in bulletins {
        // A withdrawal that comes at the same moment waits, or was waited for and is seen.
        serialise_bulletin(&transaction, bulletin_id).await?;
    }
    let now = agreed_now(&transaction, &office.clock).await?;
    let rows = notice::Entity::find()
        .filter(notice::Column::NoticeId.is_in(candidates.iter().map(|row| row.notice_id)))
        .filter(is_redrivable())
        .order_by_asc(notice::Column::NoticeId)
        .lock_exclusive()
        .all(&transaction)
        .await?;
    let known = Known::of(office, &transaction, &rows).await?;
    let mut batch = Redriven::default();
    let again: Vec<(&notice::Model, Again<'_>)> =
        rows.iter().filter_map(|row| Some((row, known.judge(row, now, &mut batch)?))).collect();
    let ids: Vec<Uuid> = again.iter().map(|(row, _)| row.notice_id).collect();
    if !ids.is_empty() {
        let changes: Vec<Change> = again.iter().map(|(row, again)| again.change(row, now)).collect();
        update_notices(&transaction, &changes).await?;
        for (row, again) in &again {
            let destination = office.directory.destination(again.recipient, again.channel);
            if destination != row.destination {
                move_to(&transaction, row.notice_id, destination).await?;
            }
        }
        forget_submissions(&transaction, &ids).await?;
        changes::add(&transaction, record, &ids).await?;
    }
    tocsin_platform::database::commit(transaction, "notification.redrive_notices").await?;
    for (state, count) in batch.by_state {
        *redriven.by_state.entry(state).or_default() += count;
    }
    for (reason, count) in batch.left {
        *redriven.left.entry(reason).or_default() += count;
    }
    Ok(())
}

fn is_redrivable() -> Condition {
    Condition::all()
        .add(notice::Column::State.is_in(REDRIVABLE.map(NoticeState::as_str)))
        .add(notice::Column::NextAtMs.is_null())
}

async fn page<C: ConnectionTrait>(
    connection: &C,
    selection: &Selection,
    after: Uuid,
) -> Result<Vec<notice::Model>, DbErr> {
    notice::Entity::find()
        .filter(selection.condition())
        .filter(is_redrivable())
        .filter(notice::Column::NoticeId.gt(after))
        .order_by_asc(notice::Column::NoticeId)
        .limit(BATCH_MAX)
        .all(connection)
        .await
}

/// What the gateways were given before says nothing of the next attempt, and would keep it from being made.
async fn forget_submissions<C: ConnectionTrait>(connection: &C, ids: &[Uuid]) -> Result<(), DbErr> {
    let of_these = || ids.iter().copied();
    submission::Entity::delete_many().filter(submission::Column::NoticeId.is_in(of_these())).exec(connection).await?;
    watch::Entity::delete_many().filter(watch::Column::NoticeId.is_in(of_these())).exec(connection).await.map(|_| ())
}

/// The contact may have another webhook by now.
async fn move_to<C: ConnectionTrait>(connection: &C, notice_id: Uuid, destination: i64) -> Result<(), DbErr> {
    notice::Entity::update_many()
        .col_expr(notice::Column::Destination, Expr::value(destination))
        .filter(notice::Column::NoticeId.eq(notice_id))
        .exec(connection)
        .await
        .map(|_| ())
}

/// Everything on which it depends whether notices may be sent again.
struct Known {
    bulletins: HashMap<(Uuid, i32), Arc<Bulletin>>,
    newest: HashMap<Uuid, i32>,
    withdrawn: Vec<withdrawal::Model>,
    contacts: HashMap<String, Arc<Recipient>>,
}

/// A notice that is sent again.
struct Again<'a> {
    recipient: &'a Recipient,
    channel: Channel,
    bulletin: &'a Bulletin,
}

impl Known {
    async fn of<C: ConnectionTrait>(office: &Office, connection: &C, rows: &[notice::Model]) -> Result<Self, DbErr> {
        let keys: BTreeSet<(Uuid, i32)> = rows.iter().map(|row| (row.bulletin_id, row.revision)).collect();
        let mut bulletins = HashMap::new();
        for (id, revision) in &keys {
            if let Some(bulletin) = office.bulletin(connection, *id, *revision).await? {
                bulletins.insert((*id, *revision), bulletin);
            }
        }
        let ids = || keys.iter().map(|(id, _)| *id);
        let newest: Vec<(Uuid, i32)> = bulletin::Entity::find()
            .select_only()
            .column(bulletin::Column::BulletinId)
            .column_as(bulletin::Column::Revision.max(), "newest")
            .filter(bulletin::Column::BulletinId.is_in(ids()))
            .group_by(bulletin::Column::BulletinId)
            .into_tuple()
            .all(connection)
            .await?;
        let withdrawn =
            withdrawal::Entity::find().filter(withdrawal::Column::BulletinId.is_in(ids())).all(connection).await?;
        let contacts: BTreeSet<&str> = rows.iter().map(|row| row.contact_id.as_str()).collect();
        let contacts: Vec<String> = contacts.into_iter().map(str::to_owned).collect();
        let contacts = office.directory.load(connection, &contacts).await?;
        Ok(Self { bulletins, newest: newest.into_iter().collect(), withdrawn, contacts })
    }

    /// Counts the notice on one of the two sides; some when it is sent again.
    fn judge(&self, row: &notice::Model, now: DateTime<Utc>, counted: &mut Redriven) -> Option<Again<'_>> {
        match self.again(row, now) {
            Ok(again) => {
                *counted.by_state.entry(row.state.clone()).or_default() += 1;
                Some(again)
            }
            Err(reason) => {
                *counted.left.entry(reason).or_default() += 1;
                None
            }
        }
    }

    fn again(&self, row: &notice::Model, now: DateTime<Utc>) -> Result<Again<'_>, &'static str> {
        let bulletin = self.bulletins.get(&(row.bulletin_id, row.revision)).ok_or("bulletin_unreadable")?;
        let over = |at: i64| from_ms(at) <= now;
        if over(bulletin.row.expires_at_ms) || bulletin.row.consent_expires_at_ms.is_some_and(over) {
            return Err("too_late");
        }
        let covers = |one: &withdrawal::Model| {
            one.bulletin_id == row.bulletin_id
                && one.revision >= row.revision
                && (one.organisation_id.is_empty() || one.organisation_id == row.organisation_id)
        };
        let superseded = self.newest.get(&row.bulletin_id).is_some_and(|newest| *newest > row.revision);
        if superseded || row.withdrawn_reason.is_some() || self.withdrawn.iter().any(covers) {
            return Err("withdrawn");
        }
        let recipient = self.contacts.get(&row.contact_id).filter(|_| row.channel != NO_CHANNEL).ok_or("no_address")?;
        let channel = row.channel.parse().map_err(|_| "no_address")?;
        Ok(Again { recipient, channel, bulletin })
    }
}

impl Again<'_> {
    /// Its schedule begins anew, and it wakes nobody whom the first attempt would not have woken.
    fn change(&self, row: &notice::Model, now: DateTime<Utc>) -> Change {
        let facts = &self.bulletin.facts;
        let quiet = facts.kind == BulletinKind::Alert;
        let at = if quiet { may_reach_at(&self.recipient.channels(), facts.priority, now) } else { now };
        Change {
            notice_id: row.notice_id,
            state: NoticeState::Queued.as_str().to_owned(),
            reason: Some(REDRIVEN.to_owned()),
            attempts: 0,
            next_at_ms: Some(to_ms(at)),
            handed_to: None,
            provider_id: None,
            version: row.version + 1,
            owed_since_ms: if self.bulletin.is_reported() { Some(to_ms(now)) } else { row.owed_since_ms },
            changed_at_ms: to_ms(now),
        }
    }
}

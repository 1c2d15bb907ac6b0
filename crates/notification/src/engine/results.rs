//! Ends of attempts are recorded in batches: one transaction for whatever has ended, at once when there is little, and
//! at most every 25 milliseconds when there is much.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::Rng;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use tocsin_domain::channel::may_reach_at;
use tocsin_domain::id::AttemptId;
use tocsin_domain::notice::NoticeState;
use tocsin_domain::priority::Lane;
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use tocsin_platform::fail_points::reach;
use tocsin_platform::telemetry::metrics;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;
use uuid::Uuid;

use super::escalate::{is_called_for, start_next_channels};
use super::pace::Pace;
use super::verdict::{Standing, Verdict, decide};
use super::{Done, Ready};
use crate::bulletin::Bulletin;
use crate::channel::Outcome;
use crate::entity::{attempt, notice};
use crate::office::Office;
use crate::render::BulletinKind;
use crate::sizes::{filled, in_sizes};
use crate::store::{Change, update_notices};
use crate::{gone, handover};

/// The most ends in one transaction.
const BATCH_MAX: usize = 512;
/// The shortest time between two transactions.
const FLUSH_INTERVAL: Duration = Duration::from_millis(25);
/// The pause after a transaction that failed.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Records until the dispatcher is gone and everything is written. A database that is away delays it and loses nothing
/// but, after a crash, the knowledge of what was sent.
pub(crate) async fn run(office: Arc<Office>, mut ended: mpsc::UnboundedReceiver<Done>) -> Result<(), Infallible> {
    let mut batch: Vec<Done> = Vec::new();
    let mut last_flush = Instant::now();
    let mut pace = Pace::of(BATCH_MAX);
    while ended.recv_many(&mut batch, pace.size()).await > 0 {
        let next_flush = last_flush + FLUSH_INTERVAL;
        // A full batch need not wait for more.
        if batch.len() < pace.size() && Instant::now() < next_flush {
            sleep_until(next_flush).await;
            while batch.len() < pace.size() {
                let Ok(done) = ended.try_recv() else { break };
                batch.push(done);
            }
        }
        reach("notification.results_gathered");
        let took = loop {
            match record(&office, &batch).await {
                Ok(took) => break took,
                Err(error) => {
                    warn!(reason = %error, count = batch.len(), "ends of attempts could not be recorded; trying again");
                    sleep(RETRY_PAUSE).await;
                }
            }
        };
        pace.note(batch.len(), took);
        last_flush = Instant::now();
        let notice = |done: Done| (done.ready.notice.notice_id, done.ready.notice.attempts);
        office.engine.recorded(batch.drain(..).map(notice).collect());
        office.progress.wake();
        office.engine.wake();
    }
    Ok(())
}

/// Writes what became of each; returns how long the transaction was open.
async fn record(office: &Office, batch: &[Done]) -> Result<Duration, DbErr> {
    let transaction = office.database.begin().await?;
    let began = Instant::now();
    let ids: Vec<Uuid> = batch.iter().map(|done| done.ready.notice.notice_id).collect();
    let mut rows = locked(&transaction, ids).await?;
    let now = agreed_now(&transaction, &office.clock).await?;
    let mut attempts = Vec::new();
    // One change a notice: if two attempts of it ended together, because a lease had run out, the later one knows both.
    let mut changes: BTreeMap<Uuid, (usize, Change)> = BTreeMap::new();
    let mut failed: Vec<Arc<Bulletin>> = Vec::new();
    let mut escalated: Vec<&Ready> = Vec::new();
    for (index, done) in batch.iter().enumerate() {
        let Some(row) = rows.get_mut(&done.ready.notice.notice_id) else { continue };
        if is_anothers(row, office.engine.owner, &done.outcome) {
            // What did happen is kept, but only that process says what becomes of the notice.
            attempts.extend(attempt_row(done, row.attempts + 1));
            continue;
        }
        let change = judge(office, done, row, now);
        if let Some(attempt) = attempt_row(done, row.attempts + 1) {
            attempts.push(attempt);
            row.attempts += 1;
        }
        if change.handed_to.is_some() && row.handed_to.is_none() {
            failed.push(Arc::clone(&done.ready.bulletin));
        }
        if change.state.parse().is_ok_and(|state| is_called_for(done, state)) {
            escalated.push(&done.ready);
        }
        row.state.clone_from(&change.state);
        row.version = change.version;
        row.handed_to.clone_from(&change.handed_to);
        changes.insert(row.notice_id, (index, change));
    }
    for some in in_sizes(&attempts) {
        attempt::Entity::insert_many(some.iter().cloned()).exec_without_returning(&transaction).await?;
    }
    let (indexes, changes): (Vec<usize>, Vec<Change>) = changes.into_values().unzip();
    update_notices(&transaction, &changes).await?;
    let gone = batch.iter().filter(|done| matches!(done.outcome, Outcome::Gone { .. }));
    let gone: Vec<&str> = gone.map(|done| done.ready.notice.contact_id.as_str()).collect();
    gone::switch_off(office, &transaction, &gone).await?;
    start_next_channels(&transaction, &escalated, now).await?;
    handover::call_coordinators(office, &transaction, &failed, now).await?;
    tocsin_platform::database::commit(transaction, "notification.record_results").await?;
    let took = began.elapsed();
    let recorded = indexes.into_iter().filter_map(|index| batch.get(index));
    for (done, change) in recorded.zip(&changes) {
        count(done, change);
    }
    Ok(took)
}

/// The rows of these notices, held in one order, so that two processes never wait for each other's.
async fn locked<C: ConnectionTrait>(connection: &C, ids: Vec<Uuid>) -> Result<HashMap<Uuid, notice::Model>, DbErr> {
    let rows = notice::Entity::find()
        .filter(notice::Column::NoticeId.is_in(filled(ids)))
        .order_by_asc(notice::Column::NoticeId)
        .lock_exclusive()
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.notice_id, row)).collect())
}

/// Whether the notice went to another process when our lease had run out, and still moves there. That we failed, or did
/// not start, is no news to it; that we reached somebody is.
fn is_anothers(row: &notice::Model, owner: Uuid, outcome: &Outcome) -> bool {
    let is_ours = row.lease_owner == Some(owner);
    !is_ours && row.next_at_ms.is_some() && !matches!(outcome, Outcome::Taken { .. })
}

fn judge(office: &Office, done: &Done, row: &notice::Model, now: DateTime<Utc>) -> Change {
    let withdrawn = row.withdrawn_reason.as_deref().or(done.ready.notice.withdrawn_reason.as_deref());
    let current = row.state.parse().unwrap_or(NoticeState::Queued);
    let standing = Standing {
        state: current,
        lane: lane_of(row.lane),
        attempts: row.attempts,
        withdrawn_reason: withdrawn,
        deadline: done.ready.bulletin.facts.deadline,
    };
    let jitter = rand::rng().random::<f64>();
    let Verdict { state, mut reason, next_at, by_hand } =
        decide(&standing, &done.outcome, now, &office.config.retry, jitter);
    if state == NoticeState::Withdrawn {
        reason = withdrawn.map(str::to_owned).or(reason);
    }
    // An end that came first, as an early bounce, keeps its reason.
    if state == current && current.is_end() {
        reason = reason.or_else(|| row.reason.clone());
    }
    // That it still waits for the same reason is no news to anybody.
    let is_news = !matches!(done.outcome, Outcome::Postponed { .. }) || state != current || reason != row.reason;
    let sent = !matches!(done.outcome, Outcome::Withheld { .. } | Outcome::Postponed { .. });
    let provider_id = match &done.outcome {
        Outcome::Taken { provider_id, .. } => provider_id.clone(),
        _ => None,
    };
    Change {
        notice_id: row.notice_id,
        state: state.as_str().to_owned(),
        reason,
        attempts: row.attempts + i32::from(sent),
        next_at_ms: next_at.map(|at| to_ms(outside_quiet_hours(&done.ready, at))),
        handed_to: row.handed_to.clone().or_else(|| handover::name_for(&done.ready.bulletin).filter(|_| by_hand)),
        provider_id: provider_id.or_else(|| row.provider_id.clone()),
        version: row.version + i32::from(is_news),
        // Dispatch is told of alerts only.
        owed_since_ms: if is_news { done.ready.bulletin.is_reported().then(|| to_ms(now)) } else { row.owed_since_ms },
        changed_at_ms: if is_news { to_ms(now) } else { row.changed_at_ms },
    }
}

/// A retry does not wake a contact whom the first attempt would not have woken. Staff are called at any hour.
fn outside_quiet_hours(ready: &Ready, at: DateTime<Utc>) -> DateTime<Utc> {
    let facts = &ready.bulletin.facts;
    match &ready.recipient {
        Some(recipient) if facts.kind == BulletinKind::Alert => may_reach_at(&recipient.channels(), facts.priority, at),
        _ => at,
    }
}

fn lane_of(number: i16) -> Lane {
    match number {
        0 => Lane::Urgent,
        1 => Lane::Normal,
        _ => Lane::Bulk,
    }
}

fn attempt_row(done: &Done, number: i32) -> Option<attempt::ActiveModel> {
    let (outcome, code) = match &done.outcome {
        Outcome::Taken { state, code, .. } => (state.as_str(), code.clone()),
        Outcome::Temporary { code, .. } => ("temporary", code.clone()),
        Outcome::Refused { code, .. } => ("refused", code.clone()),
        Outcome::Gone { code } => ("gone", code.clone()),
        Outcome::Withheld { .. } | Outcome::Postponed { .. } => return None,
    };
    Some(attempt::ActiveModel {
        attempt_id: Set(AttemptId::new(done.ended_at).as_uuid()),
        notice_id: Set(done.ready.notice.notice_id),
        number: Set(number),
        started_at_ms: Set(to_ms(done.started_at)),
        ended_at_ms: Set(to_ms(done.ended_at)),
        outcome: Set(outcome.to_owned()),
        code: Set(code),
        answer: Set(done.answer.clone()),
        gateway: Set(done.gateway.clone()),
    })
}

fn count(done: &Done, change: &Change) {
    let (channel, facts) = (done.ready.notice.channel.as_str(), &done.ready.bulletin.facts);
    let priority = facts.priority.as_str();
    metrics().notices.with_label_values(&[channel, change.state.as_str(), priority]).inc();
    if done.ready.notice.attempts == 0 && matches!(done.outcome, Outcome::Taken { .. }) {
        let milliseconds = to_ms(done.ended_at) - done.ready.bulletin.row.released_at_ms;
        let seconds = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)).as_secs_f64();
        metrics().notice_latency_seconds.with_label_values(&[channel, priority]).observe(seconds);
    }
}

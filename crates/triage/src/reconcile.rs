//! Work that falls due: pages while nobody answers, the daily key pair, messages that still wait for their report, and
//! the end of old private halves.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prost::Message;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::case::CaseState;
use tocsin_domain::priority::Priority;
use tocsin_platform::clock::{from_ms, to_ms};
use tocsin_platform::database::agreed_now;
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::seal::PublicSealingKey;
use tocsin_platform::telemetry::metrics;
use tocsin_proto::catalogue::{Lane, MESSAGE_RECEIVED, REPORT_RECEIVED, TRIAGE_KEY_PUBLISHED};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::{KeyPublished, MessageReceived, ReportReceived};

use crate::desk::Desk;
use crate::entity::case::file;
use crate::entity::clock::escalation;
use crate::error::TriageError;
use crate::store::{escalations, keys, messages};
use crate::{consume, pages};

/// Clocks worked off in one look.
const CLOCKS_MAX: u64 = 100;
const HOUR_MS: i64 = 3_600_000;
/// No private half is destroyed for this long after a start.
const UNTOUCHED_AFTER_START_MS: i64 = 10 * 60_000;

/// Pages for every clock that is due and unanswered. Returns after how long the next one is due.
pub(crate) async fn escalate(desk: &Desk) -> Result<Option<Duration>, TriageError> {
    let now = agreed_now(desk.database.reader(), &desk.clock).await?;
    let now_ms = to_ms(now);
    watch_oldest_unanswered(desk, now_ms).await?;
    let open = escalations::open_first(desk.database.reader(), CLOCKS_MAX).await?;
    let full = open.len() >= usize::try_from(CLOCKS_MAX).unwrap_or(usize::MAX);
    let (due, later): (Vec<_>, Vec<_>) = open.into_iter().partition(|clock| clock.due_at_ms <= now_ms);
    let mut failed = None;
    for clock in &due {
        if let Err(error) = page_for(desk, clock, now).await {
            // The other cases must not wait for this one.
            tracing::error!(case_id = %clock.case_id, reason = %error, "a page is due and could not be asked for");
            failed = Some(error);
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    if full && later.is_empty() {
        return Ok(Some(Duration::ZERO));
    }
    let next = later.first().map(|clock| clock.due_at_ms.saturating_sub(now_ms));
    Ok(next.map(|wait| Duration::from_millis(u64::try_from(wait).unwrap_or(0))))
}

async fn page_for(desk: &Desk, clock: &escalation::Model, now: DateTime<Utc>) -> Result<(), TriageError> {
    let transaction = desk.database.begin().await?;
    let case = file::Entity::find_by_id(clock.case_id).lock_exclusive().one(&transaction).await?;
    let Some(case) = case else { return Ok(()) };
    if case.acknowledged_at_ms.is_some() {
        escalations::close(&transaction, clock.case_id, "answered", to_ms(now)).await?;
        tocsin_platform::database::commit(transaction, "triage.page").await?;
        return Ok(());
    }
    if !escalations::mark_paged(&transaction, clock, to_ms(now)).await? {
        return Ok(());
    }
    let priority: Priority = case.priority.parse().map_err(|_| TriageError::Foreign("the priority of a case"))?;
    let clocks = escalations::of_case(&transaction, clock.case_id).await?;
    let last_level = clocks.iter().filter(|one| one.alarm == clock.alarm).map(|one| one.level).max().unwrap_or(0);
    let level = |level: i32| u32::try_from(level).unwrap_or(0);
    let contacts = pages::called(&desk.config.duty_roster, level(clock.level), level(last_level));
    let due_at = pages::answer_due(&desk.config, priority, rang_at(desk, priority, clock));
    let event = pages::page(clock.case_id, &contacts, level(clock.level), priority, due_at, now);
    desk.outbox.record(&transaction, &[event]).await?;
    tocsin_platform::database::commit(transaction, "triage.page").await?;
    desk.outbox.wake();
    tracing::warn!(case_id = %clock.case_id, priority = %priority, "nobody answered a case; the next people were paged");
    Ok(())
}

/// When the alarm of a clock rang: its due time less the minutes of its level.
fn rang_at(desk: &Desk, priority: Priority, clock: &escalation::Model) -> DateTime<Utc> {
    let minutes = &desk.config.clocks.of(priority).escalate_minutes;
    let place = usize::try_from(clock.level.saturating_sub(1)).unwrap_or(0);
    let waited_ms = minutes.get(place).map_or(0, |minutes| i64::from(*minutes) * 60_000);
    from_ms(clock.due_at_ms.saturating_sub(waited_ms))
}

/// The age of the oldest P1 case that nobody has acknowledged, for the operator's alarm.
async fn watch_oldest_unanswered(desk: &Desk, now_ms: i64) -> Result<(), TriageError> {
    let oldest: Option<i64> = file::Entity::find()
        .select_only()
        .column(file::Column::ReceivedAtMs)
        .filter(file::Column::State.eq(CaseState::Received.as_str()))
        .filter(file::Column::Priority.eq(Priority::P1.as_str()))
        .order_by_asc(file::Column::ReceivedAtMs)
        .into_tuple()
        .one(desk.database.reader())
        .await?;
    let age_ms = oldest.map_or(0, |received| Ord::max(now_ms.saturating_sub(received), 0));
    metrics().oldest_unacknowledged_p1_seconds.set(age_ms / 1_000);
    Ok(())
}

/// Makes the first key pair or the next one, and says it. Returns after how long the next rotation is due.
pub(crate) async fn rotate(desk: &Desk) -> Result<Option<Duration>, TriageError> {
    let period = desk.config.rotation_period();
    let now_ms = desk.vault.now_ms(&desk.clock).await?;
    rotate_if_due(desk, now_ms).await?;
    let (key, made_at_ms) = desk.vault.current_public().await?;
    if !keys::is_announced(desk.database.reader(), &key.id).await? {
        announce(desk, &key, made_at_ms).await?;
    }
    let due_ms =
        desk.vault.rotated_at_ms().await?.saturating_add(i64::try_from(period.as_millis()).unwrap_or(i64::MAX));
    let wait = Ord::max(due_ms.saturating_sub(now_ms), 1);
    Ok(Some(Duration::from_millis(u64::try_from(wait).unwrap_or(u64::MAX))))
}

/// At the start: there is a key, and it is said again, because intake's database may be a new one that never heard it.
pub(crate) async fn begin(desk: &Desk) -> Result<(), TriageError> {
    rotate_if_due(desk, desk.vault.now_ms(&desk.clock).await?).await?;
    let (key, made_at_ms) = desk.vault.current_public().await?;
    announce(desk, &key, made_at_ms).await
}

async fn rotate_if_due(desk: &Desk, now_ms: i64) -> Result<(), TriageError> {
    if desk.vault.rotate_if_due(now_ms, desk.config.rotation_period()).await? {
        tracing::info!("a new sealing key pair was made");
    }
    Ok(())
}

/// Says a public key: the fact is committed with the event.
async fn announce(desk: &Desk, key: &PublicSealingKey, made_at_ms: i64) -> Result<(), TriageError> {
    let now = desk.clock.now();
    let transaction = desk.database.begin().await?;
    keys::announce(&transaction, &key.id, to_ms(now)).await?;
    let message = KeyPublished { key: Some(key.into()), published_at: Some(timestamp(from_ms(made_at_ms))) };
    // Intake refuses reports until it knows a key, so this is as urgent as they are.
    let event = OutgoingEvent::new(&TRIAGE_KEY_PUBLISHED, Lane::Urgent, "triage", made_at_ms, &message, now);
    desk.outbox.record(&transaction, &[event]).await?;
    tocsin_platform::database::commit(transaction, "triage.announce_key").await?;
    desk.outbox.wake();
    Ok(())
}

/// Gives messages that still wait to the case they belong to, and destroys old private halves, but not soon after the
/// start: the consumers first take what came while triage was away.
pub(crate) async fn keep_in_order(desk: &Desk, started_at_ms: i64) -> Result<Option<Duration>, TriageError> {
    let mut failed = None;
    for report in messages::overdue(desk.database.reader()).await? {
        if let Err(error) = consume::adopt(desk, report).await {
            tracing::error!(report_id = %report, reason = %error, "messages could not be given to their case");
            failed = Some(error);
        }
    }
    // Time is the key store's: a process with a wrong clock must not end a key early.
    let now_ms = desk.vault.now_ms(&desk.clock).await?;
    if now_ms.saturating_sub(started_at_ms) >= UNTOUCHED_AFTER_START_MS {
        destroy_retired(desk, now_ms).await?;
    }
    failed.map_or(Ok(None), Err)
}

/// Destroys the private halves of pairs that were retired long ago and that nothing waits for.
async fn destroy_retired(desk: &Desk, now_ms: i64) -> Result<(), TriageError> {
    let keep_ms = i64::from(desk.config.key_keep_hours) * HOUR_MS;
    let mut doomed = desk.vault.retired(now_ms.saturating_sub(keep_ms)).await?;
    if doomed.is_empty() {
        return Ok(());
    }
    let still_needed = still_needed(desk).await?;
    doomed.retain(|key| !still_needed.contains(key));
    if !doomed.is_empty() {
        desk.vault.destroy(&doomed).await?;
        tracing::info!(count = doomed.len(), "private halves of old sealing key pairs were destroyed");
    }
    Ok(())
}

/// The keys that something in our custody is sealed to: messages without a report, and dead letters.
async fn still_needed(desk: &Desk) -> Result<HashSet<String>, TriageError> {
    let reader = desk.database.reader();
    let mut needed: HashSet<String> = keys::waited_for(reader).await?.into_iter().collect();
    let letters = Query::select()
        .columns(["kind", "payload"])
        .from("dead_letters")
        .and_where(Expr::col("kind").is_in([REPORT_RECEIVED.name, MESSAGE_RECEIVED.name]))
        .to_owned();
    for row in reader.query_all(&letters).await? {
        let kind: String = row.try_get("", "kind")?;
        let payload: Vec<u8> = row.try_get("", "payload")?;
        let content = if kind == REPORT_RECEIVED.name {
            ReportReceived::decode(payload.as_slice()).ok().and_then(|event| event.content)
        } else {
            MessageReceived::decode(payload.as_slice()).ok().and_then(|event| event.content)
        };
        needed.extend(content.map(|content| content.key_id));
    }
    Ok(needed)
}

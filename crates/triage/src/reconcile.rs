//! Work that falls due: pages while nobody answers, the daily key pair, and the end of old private halves.

use std::collections::HashSet;
use std::time::Duration;

use prost::Message;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::case::CaseState;
use tocsin_domain::priority::Priority;
use tocsin_platform::clock::{from_ms, to_ms};
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::telemetry::metrics;
use tocsin_proto::catalogue::{Lane, MESSAGE_RECEIVED, REPORT_RECEIVED, TRIAGE_KEY_PUBLISHED};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::{KeyPublished, MessageReceived, ReportReceived};

use crate::desk::Desk;
use crate::entity::case::file;
use crate::entity::clock::escalation;
use crate::error::TriageError;
use crate::pages;
use crate::store::{escalations, keys};

/// Clocks worked off in one look.
const CLOCKS_MAX: u64 = 100;
const HOUR_MS: i64 = 3_600_000;

/// Pages for every clock that is due and unanswered. Returns after how long the next one is due.
pub(crate) async fn escalate(desk: &Desk) -> Result<Option<Duration>, TriageError> {
    watch_oldest_unanswered(desk).await?;
    let open = escalations::open_first(desk.database.reader(), CLOCKS_MAX).await?;
    let now_ms = desk.clock.now_ms();
    let full = open.len() >= usize::try_from(CLOCKS_MAX).unwrap_or(usize::MAX);
    let (due, later): (Vec<_>, Vec<_>) = open.into_iter().partition(|clock| clock.due_at_ms <= now_ms);
    for clock in &due {
        page_for(desk, clock).await?;
    }
    if full && later.is_empty() {
        return Ok(Some(Duration::ZERO));
    }
    let next = later.first().map(|clock| clock.due_at_ms.saturating_sub(now_ms));
    Ok(next.map(|wait| Duration::from_millis(u64::try_from(wait).unwrap_or(0))))
}

async fn page_for(desk: &Desk, clock: &escalation::Model) -> Result<(), TriageError> {
    let now = desk.clock.now();
    let transaction = desk.database.begin().await?;
    let case = file::Entity::find_by_id(clock.case_id).lock_exclusive().one(&transaction).await?;
    let Some(case) = case else { return Ok(()) };
    if case.acknowledged_at_ms.is_some() {
        escalations::close(&transaction, clock.case_id, "answered", to_ms(now)).await?;
        transaction.commit().await?;
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
    transaction.commit().await?;
    desk.outbox.wake();
    tracing::warn!(case_id = %clock.case_id, priority = %priority, "nobody answered a case; the next people were paged");
    Ok(())
}

/// When the alarm of a clock rang: its due time less the minutes of its level.
fn rang_at(desk: &Desk, priority: Priority, clock: &escalation::Model) -> chrono::DateTime<chrono::Utc> {
    let minutes = &desk.config.clocks.of(priority).escalate_minutes;
    let place = usize::try_from(clock.level.saturating_sub(1)).unwrap_or(0);
    let waited_ms = minutes.get(place).map_or(0, |minutes| i64::from(*minutes) * 60_000);
    from_ms(clock.due_at_ms.saturating_sub(waited_ms))
}

/// The age of the oldest P1 case that nobody has acknowledged, for the operator's alarm.
async fn watch_oldest_unanswered(desk: &Desk) -> Result<(), TriageError> {
    let oldest: Option<i64> = file::Entity::find()
        .select_only()
        .column(file::Column::ReceivedAtMs)
        .filter(file::Column::State.eq(CaseState::Received.as_str()))
        .filter(file::Column::Priority.eq(Priority::P1.as_str()))
        .order_by_asc(file::Column::ReceivedAtMs)
        .into_tuple()
        .one(desk.database.reader())
        .await?;
    let age_ms = oldest.map_or(0, |received| Ord::max(desk.clock.now_ms().saturating_sub(received), 0));
    metrics().oldest_unacknowledged_p1_seconds.set(age_ms / 1_000);
    Ok(())
}

/// Makes the first key pair or the next one, says what was not said yet, and destroys what nothing waits for. Returns
/// after how long the next rotation is due.
pub(crate) async fn rotate(desk: &Desk) -> Result<Option<Duration>, TriageError> {
    let period = desk.config.rotation_period();
    let now_ms = desk.clock.now_ms();
    if desk.vault.rotate_if_due(now_ms, period).await? {
        tracing::info!("a new sealing key pair was made");
    }
    announce(desk).await?;
    let keep_ms = i64::from(desk.config.key_keep_hours) * HOUR_MS;
    let still_needed = still_needed(desk).await?;
    let destroyed = desk.vault.destroy_retired(now_ms.saturating_sub(keep_ms), &still_needed).await?;
    if !destroyed.is_empty() {
        tracing::info!(count = destroyed.len(), "private halves of old sealing key pairs were destroyed");
    }
    let due_ms =
        desk.vault.rotated_at_ms().await?.saturating_add(i64::try_from(period.as_millis()).unwrap_or(i64::MAX));
    let wait = Ord::max(due_ms.saturating_sub(desk.clock.now_ms()), 1);
    Ok(Some(Duration::from_millis(u64::try_from(wait).unwrap_or(u64::MAX))))
}

/// Says the current public key, once for each key: the fact is committed with the event.
async fn announce(desk: &Desk) -> Result<(), TriageError> {
    let (key, made_at_ms) = desk.vault.current_public().await?;
    if keys::is_announced(desk.database.reader(), &key.id).await? {
        return Ok(());
    }
    let now = desk.clock.now();
    let transaction = desk.database.begin().await?;
    if keys::is_announced(&transaction, &key.id).await? {
        return Ok(());
    }
    keys::announce(&transaction, &key.id, to_ms(now)).await?;
    let message = KeyPublished { key: Some((&key).into()), published_at: Some(timestamp(from_ms(made_at_ms))) };
    // Intake refuses reports until it knows a key, so this is as urgent as they are.
    let event = OutgoingEvent::new(&TRIAGE_KEY_PUBLISHED, Lane::Urgent, "triage", made_at_ms, &message, now);
    desk.outbox.record(&transaction, &[event]).await?;
    transaction.commit().await?;
    desk.outbox.wake();
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

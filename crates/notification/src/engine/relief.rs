//! The breakers at work: what may not start is put off, people are told of destinations that fail and recover, and what
//! waited for one that recovers starts at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use tocsin_domain::channel::Channel;
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use tocsin_platform::telemetry::metrics;
use tracing::{info, warn};

use super::breaker::{Breakers, Change, Ended, Permit, Word, word};
use super::claim::ALL_LANES;
use super::slots::Destination;
use super::verdict::BREAKER_OPEN;
use super::{Done, Ready};
use crate::channel::Outcome;
use crate::entity::notice;
use crate::office::Office;

/// The dispatcher's view of the breakers.
pub(super) struct Relief {
    office: Arc<Office>,
    breakers: Arc<Mutex<Breakers>>,
}

impl Relief {
    pub(super) fn new(office: Arc<Office>, breakers: Arc<Mutex<Breakers>>) -> Self {
        for channel in Channel::ALL {
            metrics().breaker_open.with_label_values(&[channel.as_str()]).set(0);
        }
        Self { office, breakers }
    }

    fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The destinations of which nothing ordinary need be claimed.
    pub(super) fn resting(&self) -> Vec<Destination> {
        self.breakers().resting(Instant::now())
    }

    /// What becomes of a notice whose destination may not be asked now; none when it may.
    pub(super) fn put_off(&self, destination: Destination, ready: &Ready) -> Option<Outcome> {
        let presses = ready.notice.lane == 0 && ready.notice.attempts == 0;
        match self.breakers().ask(destination, presses, Instant::now()) {
            Permit::Go => None,
            Permit::Wait(wait) => {
                let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let seconds = u32::try_from(whole).unwrap_or(u32::MAX);
                Some(Outcome::Postponed { code: BREAKER_OPEN, seconds })
            }
        }
    }

    /// Hears the end of an attempt; returns whether its destination fails.
    pub(super) fn hear(&self, destination: Destination, done: &Done) -> bool {
        let Ok(channel) = done.ready.notice.channel.parse::<Channel>() else { return false };
        let ended = Ended {
            destination,
            channel,
            contact_id: &done.ready.notice.contact_id,
            now: Instant::now(),
            at: done.ended_at,
        };
        // One of several SMS gateways says nothing about the others: the next attempt asks the next one.
        let has_others = channel == Channel::Sms && self.office.config.sms.gateways.len() > 1;
        let word = if has_others { Word::Nothing } else { word(&done.outcome) };
        let (change, is_open, count) = {
            let mut breakers = self.breakers();
            let change = breakers.hear(&ended, word);
            (change, breakers.is_open(destination), breakers.count_open(channel))
        };
        if let Some(change) = change {
            tell(change, channel, count);
        }
        if change == Some(Change::Closed) {
            let office = Arc::clone(&self.office);
            tokio::spawn(async move {
                match resume(&office, destination).await {
                    Ok(()) => office.engine.wake(),
                    Err(error) => warn!(reason = %error, "what waited for a destination starts at its next due time"),
                }
            });
        }
        is_open
    }
}

/// Tells people, without saying where it is.
fn tell(change: Change, channel: Channel, count: usize) {
    let label = channel.as_str();
    metrics().breaker_open.with_label_values(&[label]).set(i64::try_from(count).unwrap_or(i64::MAX));
    match change {
        Change::Opened => warn!(
            channel = label,
            count,
            "a destination fails and is degraded: what is not urgent waits for probes, urgent notices are tried once \
             and go to the contact's next channel"
        ),
        Change::Closed => info!(channel = label, count, "a destination that failed answers again"),
    }
}

/// What was put off until the next probe is due now.
async fn resume(office: &Office, destination: Destination) -> Result<(), DbErr> {
    use notice::Column;
    let longest = Duration::from_secs(office.config.breaker.probe_seconds_max.into());
    let transaction = office.database.begin().await?;
    let now_ms = to_ms(agreed_now(&transaction, &office.clock).await?);
    let until_ms = now_ms.saturating_add(i64::try_from(longest.as_millis()).unwrap_or(i64::MAX));
    notice::Entity::update_many()
        .col_expr(Column::NextAtMs, Expr::value(now_ms))
        // The lanes are named for the index on lane and due time.
        .filter(Column::Lane.is_in(ALL_LANES))
        .filter(Column::NextAtMs.between(now_ms, until_ms))
        .filter(Column::Destination.eq(destination))
        .filter(Column::Reason.eq(BREAKER_OPEN))
        .filter(Column::LeaseOwner.is_null())
        .exec(&transaction)
        .await?;
    tocsin_platform::database::commit(transaction, "notification.resume_destination").await
}

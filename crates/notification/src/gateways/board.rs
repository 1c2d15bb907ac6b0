//! How each gateway stands, and pausing one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};
use tocsin_domain::channel::Channel;
use tocsin_domain::notice::NoticeState;

use super::PAUSED;
use crate::changes::{self, By};
use crate::channel::Seen;
use crate::entity::notice;
use crate::entity::sms::{gateway, submission};
use crate::office::Office;

/// A gateway as an operator sees it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) channel: Channel,
    pub(crate) kind: &'static str,
    pub(crate) paused: bool,
    /// A messenger's trouble that a person must end, as `captcha`.
    pub(crate) trouble: Option<&'static str>,
    /// It did not answer, and is left alone so long.
    pub(crate) rests: Option<Duration>,
    pub(crate) awaiting_receipts: u64,
    pub(crate) seen: Seen,
}

impl Known {
    /// In one word.
    pub(crate) fn state(&self) -> &'static str {
        match (self.paused, self.trouble, self.rests) {
            (true, ..) => "paused",
            (false, Some(trouble), _) => trouble,
            (false, None, Some(_)) => "resting",
            (false, None, None) => "ready",
        }
    }
}

/// Every gateway of the settings, for each channel in the order in which they are tried.
pub(crate) async fn list(office: &Office) -> Result<Vec<Known>, DbErr> {
    office.pauses.refresh(office.database.reader()).await?;
    let waiting = awaiting_receipts(office.database.reader()).await?;
    let now = Instant::now();
    let mut known = Vec::new();
    for host in office.smarthosts.hosts() {
        let rests = Some(host.rest_left(now)).filter(|left| !left.is_zero());
        let plain = plain(office, host.name(), Channel::Email, "smarthost", host.seen());
        known.push(Known { rests, ..plain });
    }
    for (config, seen) in office.gateways.standing() {
        let awaiting_receipts = waiting.get(&config.name).copied().unwrap_or(0);
        let plain = plain(office, &config.name, Channel::Sms, config.kind.as_str(), seen);
        known.push(Known { awaiting_receipts, ..plain });
    }
    for (channel, trouble, seen) in office.messengers.standing() {
        known.push(Known { trouble, ..plain(office, channel.as_str(), channel, channel.as_str(), seen) });
    }
    Ok(known)
}

fn plain(office: &Office, name: &str, channel: Channel, kind: &'static str, seen: Seen) -> Known {
    Known {
        name: name.to_owned(),
        channel,
        kind,
        paused: office.pauses.is_paused(name),
        trouble: None,
        rests: None,
        awaiting_receipts: 0,
        seen,
    }
}

/// Messages that an SMS gateway took and of which no receipt has come.
async fn awaiting_receipts<C: ConnectionTrait>(connection: &C) -> Result<HashMap<String, u64>, DbErr> {
    let waiting: Vec<(String, i64)> = submission::Entity::find()
        .select_only()
        .column(submission::Column::Gateway)
        .column_as(submission::Column::NoticeId.count(), "waiting")
        .filter(submission::Column::TakenAtMs.is_not_null())
        .filter(submission::Column::Heard.eq(false))
        .filter(submission::Column::Failed.eq(false))
        .group_by(submission::Column::Gateway)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(waiting.into_iter().map(|(name, count)| (name, u64::try_from(count).unwrap_or(0))).collect())
}

/// Pauses or resumes one; then what waited for it is due at once.
pub(crate) async fn set_paused(office: &Office, known: &Known, paused: bool, by: &By<'_>) -> Result<(), DbErr> {
    let transaction = office.database.begin().await?;
    let row = gateway::Model { name: known.name.clone(), paused, changed_at_ms: office.clock.now_ms() };
    let replaced = OnConflict::column(gateway::Column::Name)
        .update_columns([gateway::Column::Paused, gateway::Column::ChangedAtMs])
        .to_owned();
    let row = row.into_active_model().reset_all();
    gateway::Entity::insert(row).on_conflict(replaced).exec_without_returning(&transaction).await?;
    if !paused {
        notice::Entity::update_many()
            .col_expr(notice::Column::NextAtMs, Expr::value(Some(office.clock.now_ms())))
            .filter(notice::Column::Channel.eq(known.channel.as_str()))
            .filter(notice::Column::State.eq(NoticeState::Queued.as_str()))
            .filter(notice::Column::Reason.eq(PAUSED))
            .filter(notice::Column::NextAtMs.is_not_null())
            .filter(notice::Column::LeaseOwner.is_null())
            .exec(&transaction)
            .await?;
    }
    let kind = if paused { "gateway.pause" } else { "gateway.resume" };
    changes::record(&transaction, office, by, kind, &known.name).await?;
    tocsin_platform::database::commit(transaction, "notification.pause_gateway").await?;
    office.pauses.refresh(office.database.reader()).await?;
    tracing::info!(
        actor_id = by.actor,
        gateway = known.name.as_str(),
        reason = by.reason,
        "a gateway was {}",
        if paused { "paused" } else { "resumed" }
    );
    office.engine.wake();
    Ok(())
}

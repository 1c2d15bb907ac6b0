//! Pausing a gateway: nothing more is sent through it, in any process, until it is resumed.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};
use tocsin_domain::notice::NoticeState;

use super::ledger::{PAUSED, Usable};
use crate::config::GatewayConfig;
use crate::entity::notice;
use crate::entity::sms::{gateway, submission};
use crate::office::Office;

/// A gateway as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) paused: bool,
    pub(crate) awaiting_receipts: u64,
}

/// The gateways of the settings, and which of them are paused.
pub(crate) async fn paused<C: ConnectionTrait>(
    connection: &C,
    gateways: &[GatewayConfig],
) -> Result<Vec<Usable>, DbErr> {
    let rows = gateway::Entity::find().filter(gateway::Column::Paused.eq(true)).all(connection).await?;
    let usable = gateways
        .iter()
        .map(|one| Usable { name: one.name.clone(), paused: rows.iter().any(|row| row.name == one.name) });
    Ok(usable.collect())
}

/// All gateways, in the order in which they are tried.
pub(crate) async fn list(office: &Office) -> Result<Vec<Known>, DbErr> {
    let reader = office.database.reader();
    let usable = paused(reader, office.gateways.all()).await?;
    let waiting: Vec<(String, i64)> = submission::Entity::find()
        .select_only()
        .column(submission::Column::Gateway)
        .column_as(submission::Column::NoticeId.count(), "waiting")
        .filter(submission::Column::TakenAtMs.is_not_null())
        .filter(submission::Column::Heard.eq(false))
        .filter(submission::Column::Failed.eq(false))
        .group_by(submission::Column::Gateway)
        .into_tuple()
        .all(reader)
        .await?;
    let waiting: HashMap<String, i64> = waiting.into_iter().collect();
    let known = office.gateways.all().iter().zip(usable).map(|(config, usable)| Known {
        awaiting_receipts: waiting.get(&usable.name).and_then(|count| u64::try_from(*count).ok()).unwrap_or(0),
        kind: config.kind.as_str(),
        name: usable.name,
        paused: usable.paused,
    });
    Ok(known.collect())
}

/// Pauses or resumes one; then what waited for a gateway is due at once.
pub(crate) async fn set(office: &Office, name: &str, paused: bool) -> Result<(), DbErr> {
    let transaction = office.database.begin().await?;
    let row = gateway::Model { name: name.to_owned(), paused, changed_at_ms: office.clock.now_ms() };
    let replaced = OnConflict::column(gateway::Column::Name)
        .update_columns([gateway::Column::Paused, gateway::Column::ChangedAtMs])
        .to_owned();
    let row = row.into_active_model().reset_all();
    gateway::Entity::insert(row).on_conflict(replaced).exec_without_returning(&transaction).await?;
    if !paused {
        notice::Entity::update_many()
            .col_expr(notice::Column::NextAtMs, Expr::value(Some(office.clock.now_ms())))
            .filter(notice::Column::State.eq(NoticeState::Queued.as_str()))
            .filter(notice::Column::Reason.eq(PAUSED))
            .filter(notice::Column::NextAtMs.is_not_null())
            .filter(notice::Column::LeaseOwner.is_null())
            .exec(&transaction)
            .await?;
    }
    tocsin_platform::database::commit(transaction, "notification.pause_gateway").await?;
    office.engine.wake();
    Ok(())
}

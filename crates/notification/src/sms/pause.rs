//! Which SMS gateways may be used, read in the very transaction that chooses one.

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use super::ledger::Usable;
use crate::config::GatewayConfig;
use crate::entity::sms::gateway;

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

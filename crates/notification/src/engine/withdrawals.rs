//! Other processes' withdrawals, looked for every second whatever else the engine does, so that a stop reaches what
//! waits here.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use tocsin_platform::lifecycle::Shutdown;
use tracing::warn;

use super::Withdrawn;
use crate::entity::withdrawal;
use crate::office::Office;

/// How often they are looked for.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How far back, in milliseconds: much more than the interval and than a transaction takes.
const BACK_MS: i64 = 60_000;

/// Tells the engine of each withdrawal until the drain.
pub(crate) async fn run(office: Arc<Office>, shutdown: Shutdown) -> Result<(), Infallible> {
    let mut told = HashSet::new();
    while !shutdown.is_draining() {
        match recent(&office).await {
            Ok(recent) => {
                for withdrawn in recent.difference(&told) {
                    office.engine.withdraw(withdrawn.clone());
                }
                told = recent;
            }
            Err(error) => warn!(reason = %error, "withdrawals could not be looked for; trying again"),
        }
        tokio::select! {
            () = shutdown.draining() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
    Ok(())
}

async fn recent(office: &Office) -> Result<HashSet<Withdrawn>, DbErr> {
    let reader = office.database.reader();
    let since_ms = to_ms(agreed_now(reader, &office.clock).await?) - BACK_MS;
    let rows = withdrawal::Entity::find().filter(withdrawal::Column::RecordedAtMs.gte(since_ms)).all(reader).await?;
    Ok(rows.into_iter().map(Withdrawn::from).collect())
}

impl From<withdrawal::Model> for Withdrawn {
    fn from(row: withdrawal::Model) -> Self {
        Self {
            bulletin_id: row.bulletin_id,
            revision: row.revision,
            organisation_id: row.organisation_id,
            reason: row.reason,
        }
    }
}

//! Which gateways people have paused: a table that every process looks at each second, so that a pause holds everywhere
//! and over restarts.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use tocsin_platform::lifecycle::{Reconciler, Shutdown};
use tocsin_platform::telemetry::metrics;

use crate::channel::Outcome;
use crate::entity::sms::gateway;
use crate::office::Office;

/// The reason of notices that wait for paused gateways.
pub(crate) const PAUSED: &str = "gateways_paused";
/// How long it takes until paused gateways are looked at again, in seconds.
pub(crate) const PAUSED_SECONDS: u32 = 60;
/// How often the table is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The paused gateways, by name, as they stood at the last look.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    names: RwLock<HashSet<String>>,
}

impl Pauses {
    /// Whether nothing may be sent through it.
    pub(crate) fn is_paused(&self, name: &str) -> bool {
        self.names.read().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// Looks at the table.
    pub(crate) async fn refresh<C: ConnectionTrait>(&self, connection: &C) -> Result<(), DbErr> {
        let names: Vec<String> = gateway::Entity::find()
            .select_only()
            .column(gateway::Column::Name)
            .filter(gateway::Column::Paused.eq(true))
            .into_tuple()
            .all(connection)
            .await?;
        metrics().upkeep.gateways_paused.set(i64::try_from(names.len()).unwrap_or(i64::MAX));
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names.into_iter().collect();
        Ok(())
    }
}

/// What becomes of a notice all of whose gateways are paused: it waits, and no attempt is counted.
pub(crate) fn put_off() -> Outcome {
    Outcome::Postponed { code: PAUSED, seconds: PAUSED_SECONDS }
}

/// Looks at the table until the drain.
pub(crate) async fn run(office: Arc<Office>, shutdown: Shutdown) -> Result<(), Infallible> {
    let work = move || {
        let office = Arc::clone(&office);
        async move {
            office.pauses.refresh(office.database.reader()).await?;
            Ok::<_, DbErr>(None)
        }
    };
    Reconciler::new("gateway pauses", LOOK_INTERVAL).run(shutdown, work).await
}

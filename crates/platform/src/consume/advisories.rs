//! Keeps what the broker says about deliveries that it will not make again: the newest thousand, for people.

use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use tracing::warn;

use super::Consumer;
use super::entity::bus_advisory;
use crate::bus::Advisory;
use crate::lifecycle::Shutdown;
use crate::pages::SIZE_MAX;
use crate::telemetry::metrics;

/// How many are kept.
const KEPT_MAX: i64 = 1_000;

/// One advisory as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct KeptAdvisory {
    /// Grows with time.
    pub id: i64,
    /// `max_deliveries` or `terminated`.
    pub kind: String,
    /// The stream.
    pub stream: String,
    /// The durable consumer.
    pub consumer: String,
    /// Where the message stands in the stream.
    pub stream_sequence: i64,
    /// How often it was delivered.
    pub deliveries: i64,
    /// When we heard of it, in milliseconds since the epoch.
    pub at_ms: i64,
}

/// A page of what is kept, the newest first: those before the id, or the very newest.
pub async fn list<C: ConnectionTrait>(
    connection: &C,
    before: Option<i64>,
    size: u64,
) -> Result<Vec<KeptAdvisory>, DbErr> {
    let mut select = bus_advisory::Entity::find().order_by_desc(bus_advisory::Column::Id);
    if let Some(before) = before {
        select = select.filter(bus_advisory::Column::Id.lt(before));
    }
    select.limit(size.clamp(1, SIZE_MAX.into())).into_model::<KeptAdvisory>().all(connection).await
}

/// How many are kept.
pub async fn count<C: ConnectionTrait>(connection: &C) -> Result<u64, DbErr> {
    bus_advisory::Entity::find().count(connection).await
}

/// Keeps advisories until the drain.
pub(super) async fn run(consumer: Consumer, shutdown: Shutdown) {
    let mut advisories = match consumer.bus.advisories(consumer.service).await {
        Ok(advisories) => advisories,
        Err(error) => {
            warn!(service = %consumer.service, reason = %error, "the broker's advisories cannot be heard");
            return shutdown.draining().await;
        }
    };
    loop {
        let advisory = tokio::select! {
            () = shutdown.draining() => return,
            advisory = advisories.next() => advisory,
        };
        metrics().bus_advisories.with_label_values(&[consumer.service.as_str()]).inc();
        warn!(service = %consumer.service, consumer = advisory.consumer, state = advisory.kind.as_str(), "the broker will not make a delivery again; the outbox publishes its event anew");
        if let Err(error) = keep(&consumer, advisory).await {
            warn!(service = %consumer.service, reason = %error, "an advisory of the broker could not be kept");
        }
    }
}

async fn keep(consumer: &Consumer, advisory: Advisory) -> Result<(), DbErr> {
    let row = bus_advisory::ActiveModel {
        id: ActiveValue::NotSet,
        kind: ActiveValue::Set(advisory.kind.to_string()),
        stream: ActiveValue::Set(advisory.stream),
        consumer: ActiveValue::Set(advisory.consumer),
        stream_sequence: ActiveValue::Set(advisory.stream_sequence),
        deliveries: ActiveValue::Set(advisory.deliveries),
        at_ms: ActiveValue::Set(consumer.clock.now_ms()),
    };
    let connection = consumer.database.writer();
    let newest = bus_advisory::Entity::insert(row).exec(connection).await?.last_insert_id;
    bus_advisory::Entity::delete_many()
        .filter(bus_advisory::Column::Id.lte(newest.saturating_sub(KEPT_MAX)))
        .exec(connection)
        .await
        .map(|_| ())
}

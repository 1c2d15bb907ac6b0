//! The auditor: every minute it proves that each notice is moving or explained, mends what may safely be mended, and
//! tells an outside address that it did. Its silence there is an alarm that works even when nothing here does.
//!
//! Moving is what has a due time or a lease's end in `next_at_ms`. Explained is what has ended, is known to have arrived,
//! was accepted where no receipt follows, or awaits a receipt that is not overdue.

mod overdue;
mod ping;
pub(crate) mod query;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use tocsin_domain::notice::NoticeState;
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use tocsin_platform::lifecycle::{Reconciler, Shutdown};
use tocsin_platform::telemetry::metrics;
use tracing::{error, info};

pub(crate) use ping::Ping;
use query::Adrift;

use crate::entity::notice;
use crate::office::Office;

/// How often it audits.
const INTERVAL: Duration = Duration::from_mins(1);
/// The most notices that one audit names in the log.
const NAMED_MAX: usize = 20;

/// What an audit found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Found {
    /// Neither moving nor explained.
    pub(crate) unexplained: usize,
    /// How many of them were made due.
    pub(crate) made_due: usize,
    /// Whose receipt did not come.
    pub(crate) overdue: usize,
}

impl Found {
    /// Nothing is left that nobody explains.
    pub(crate) fn is_well(self) -> bool {
        self.unexplained == self.made_due
    }
}

/// Audits until the drain, and calls `ping` after each audit that went well.
pub(crate) async fn run(office: Arc<Office>, ping: Option<Ping>, shutdown: Shutdown) -> Result<(), Infallible> {
    let ping = Arc::new(ping);
    let work = move || {
        let (office, ping) = (Arc::clone(&office), Arc::clone(&ping));
        async move {
            let found = audit(&office).await?;
            metrics().upkeep.audit_completed_timestamp_seconds.set(office.clock.now().timestamp());
            if let Some(ping) = ping.as_ref().as_ref().filter(|_| found.is_well()) {
                ping.send().await;
            }
            Ok::<_, DbErr>(None)
        }
    };
    Reconciler::new("notification auditor", INTERVAL).run(shutdown, work).await
}

/// Audits once.
pub(crate) async fn audit(office: &Office) -> Result<Found, DbErr> {
    let adrift = query::adrift(office.database.reader()).await?;
    metrics().upkeep.notices_unexplained.set(i64::try_from(adrift.len()).unwrap_or(i64::MAX));
    let mut found = Found { unexplained: adrift.len(), ..Found::default() };
    if !adrift.is_empty() {
        name(&adrift);
        found.made_due = make_due(office, &adrift).await?;
    }
    found.overdue = overdue::end(office).await?;
    if found.made_due > 0 {
        office.engine.wake();
    }
    if found.overdue > 0 {
        info!(count = found.overdue, "receipts did not come; nobody knows whether these notices arrived");
        office.progress.wake();
    }
    Ok(found)
}

fn name(adrift: &[Adrift]) {
    for one in adrift.iter().take(NAMED_MAX) {
        error!(
            notice_id = %one.notice_id,
            channel = one.channel.as_str(),
            state = one.state.as_str(),
            "a notice is neither moving nor explained"
        );
    }
    error!(count = adrift.len(), "notices are neither moving nor explained; those that are queued are made due");
}

/// What is queued and has no due time becomes due. That is safe: nothing is sent that was withdrawn or has expired, and
/// whatever was sent meanwhile has another state by now.
async fn make_due(office: &Office, adrift: &[Adrift]) -> Result<usize, DbErr> {
    use notice::Column;
    let transaction = office.database.begin().await?;
    let now_ms = to_ms(agreed_now(&transaction, &office.clock).await?);
    let made = notice::Entity::update_many()
        .col_expr(Column::NextAtMs, Expr::value(now_ms))
        .col_expr(Column::LeaseOwner, Expr::value(Option::<uuid::Uuid>::None))
        .filter(Column::NoticeId.is_in(adrift.iter().map(|one| one.notice_id)))
        .filter(Column::State.eq(NoticeState::Queued.as_str()))
        .filter(Column::NextAtMs.is_null())
        .exec(&transaction)
        .await?;
    tocsin_platform::database::commit(transaction, "notification.make_due").await?;
    Ok(usize::try_from(made.rows_affected).unwrap_or(usize::MAX))
}

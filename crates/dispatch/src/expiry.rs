//! Consents end by themselves: when the first one on which a released alert relies expires, the alert is withdrawn.
//!
//! What is due stands in the alerts' rows, so a restart forgets nothing.

use std::convert::Infallible;
use std::time::Duration;

use sea_orm::DbErr;
use tocsin_platform::clock::{from_ms, to_ms};
use tocsin_platform::database::agreed_now;
use tocsin_platform::lifecycle::{Reconciler, Shutdown};

use crate::dispatch::{Dispatch, Shared};
use crate::store;
use crate::withdraw::withdraw;

/// What is written when the reason is an expired consent.
pub(crate) const CONSENT_EXPIRED: &str = "consent_expired";

/// How often to look for what a release has brought meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Alerts withdrawn in one transaction.
const AT_ONCE: u64 = 32;

/// Withdraws until the drain.
pub(crate) async fn run(dispatch: Shared, shutdown: Shutdown) -> Result<(), Infallible> {
    let work = move || {
        let dispatch = Shared::clone(&dispatch);
        async move { withdraw_expired(&dispatch).await }
    };
    Reconciler::new("dispatch_consent_expiry", LOOK_EVERY).run(shutdown, work).await
}

/// Withdraws some of the alerts whose consent has expired. Returns after how long it should be called again.
async fn withdraw_expired(dispatch: &Dispatch) -> Result<Option<Duration>, DbErr> {
    let Some(first_ms) = store::alerts::first_consent_expiry(dispatch.database.reader()).await? else {
        return Ok(None);
    };
    let now_ms = to_ms(agreed_now(dispatch.database.reader(), &dispatch.clock).await?);
    if first_ms > now_ms {
        return Ok(u64::try_from(first_ms - now_ms).ok().map(Duration::from_millis));
    }
    let transaction = dispatch.database.begin().await?;
    store::feed::lock(&transaction).await?;
    for alert in store::alerts::consent_expired(&transaction, now_ms, AT_ONCE).await? {
        let at = alert.consent_expires_at_ms.map_or_else(|| dispatch.clock.now(), from_ms);
        withdraw(dispatch, &transaction, alert, CONSENT_EXPIRED, at).await?;
    }
    tocsin_platform::database::commit(transaction, "dispatch.expire_consents").await?;
    dispatch.outbox.wake();
    dispatch.tail.wake();
    Ok(Some(Duration::ZERO))
}

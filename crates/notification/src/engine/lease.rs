//! A lease, begun on two clocks: the one on which the processes agree says when others may take the notice, and our own
//! monotonic one says until when we may start it.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbErr};
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;

use crate::office::Office;

/// The lease that begins now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    /// The agreed time at its beginning.
    pub(crate) now: DateTime<Utc>,
    /// Its beginning on the monotonic clock.
    began: Instant,
    seconds: u32,
}

impl Lease {
    /// Begins one. The monotonic clock is read first, so that our view of the lease never outlasts the rows'.
    pub(crate) async fn begin<C: ConnectionTrait>(office: &Office, connection: &C) -> Result<Self, DbErr> {
        let seconds = office.config.lease_seconds;
        let began = Instant::now();
        let now = agreed_now(connection, &office.clock).await?;
        Ok(Self { now, began, seconds })
    }

    /// When it ends for us, on the monotonic clock.
    pub(crate) fn ends(&self) -> Instant {
        self.began + Duration::from_secs(self.seconds.into())
    }

    /// When it ends for others, in milliseconds of the agreed time.
    pub(crate) fn ends_ms(&self) -> i64 {
        to_ms(self.now).saturating_add(i64::from(self.seconds) * 1000)
    }

    /// The agreed time, carried on by the monotonic clock.
    pub(super) fn time(&self) -> AgreedTime {
        AgreedTime { moment: self.now, read_at: self.began }
    }
}

/// The agreed time as it was read last; whatever this machine's clock does since, it goes on at real speed.
#[derive(Debug, Clone, Copy)]
pub(super) struct AgreedTime {
    moment: DateTime<Utc>,
    read_at: Instant,
}

impl AgreedTime {
    /// Before anything was read: this machine's time.
    pub(super) fn of(moment: DateTime<Utc>) -> Self {
        Self { moment, read_at: Instant::now() }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        let since = TimeDelta::from_std(self.read_at.elapsed()).unwrap_or(TimeDelta::MAX);
        self.moment.checked_add_signed(since).unwrap_or(self.moment)
    }
}

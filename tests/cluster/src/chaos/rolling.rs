//! Restarts in order, one process after another, while everybody works: no client that retries sees an error, nothing
//! is lost or sent twice, and each process says that it is not ready before its door closes.

use std::time::Duration;

use rustix::process::Signal;
use tocsin_tests::{Outcome, Trouble};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::trial::Trial;
use crate::ledger::houses::channel;

/// `limits.drain_seconds_max`, within which everything in flight must have ended.
const GRACE: Duration = Duration::from_secs(20);
/// How long a process may take to die after that.
const END_LIMIT: Duration = Duration::from_secs(30);

/// What the restarts came to.
#[derive(Debug, Default, Clone, Copy)]
pub struct Rolled {
    /// How many processes were restarted.
    pub restarts: usize,
    /// The longest from SIGTERM to the end of the process.
    pub drained: Duration,
    /// The longest from the start of a process until it was ready.
    pub ready: Duration,
}

impl Trial {
    /// Restarts the processes of all services in turn, so many times in all.
    pub async fn roll(&mut self, restarts: usize, tell: &dyn Fn(&str)) -> Outcome<Rolled> {
        let mut rolled = Rolled::default();
        for count in 0..restarts {
            if self.somebody_gave_up() {
                break;
            }
            let process = count % self.cluster.services.len();
            let drained = self.restart(process).await?;
            let ready = self.cluster.start_again(process).await?;
            rolled.restarts += 1;
            rolled.drained = rolled.drained.max(drained);
            rolled.ready = rolled.ready.max(ready);
            if rolled.restarts.is_multiple_of(self.cluster.services.len()) {
                tell(&format!("{} restarts, longest drain {:.1} s", rolled.restarts, rolled.drained.as_secs_f64()));
            }
        }
        Ok(rolled)
    }

    /// Asks a process to end and waits for it, while its health is watched.
    async fn restart(&mut self, process: usize) -> Outcome<Duration> {
        let door = self.cluster.door(process)?;
        let mut health = HealthClient::new(channel(door, &self.cluster.plan.deployed)?);
        let mut watched = health.watch(HealthCheckRequest { service: String::new() }).await?.into_inner();
        let serving = watched.message().await?.map(|told| told.status);
        let found = self.cluster.service(process)?;
        let name = found.name().to_owned();
        if serving != Some(ServingStatus::Serving as i32) {
            return Err(Trouble::new(format!("{name} is not serving before it is asked to end: {serving:?}")));
        }
        let told = tokio::spawn(async move {
            let told = watched.message().await.ok().flatten().map(|told| told.status);
            drop(watched);
            told
        });
        let (status, drained) = found.end_by(Signal::TERM, END_LIMIT).await?;
        if told.await? != Some(ServingStatus::NotServing as i32) {
            let what = format!("{name} closed its door before it said that it is not ready");
            self.houses.ledger.surprise(what);
        }
        if !status.success() {
            self.houses.ledger.surprise(format!("{name} ended with {status} after SIGTERM"));
        }
        if drained > GRACE {
            self.houses.ledger.surprise(format!("{name} drained for {drained:?}, longer than its grace period"));
        }
        Ok(drained)
    }
}

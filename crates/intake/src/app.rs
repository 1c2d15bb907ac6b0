//! Builds intake out of its parts and runs it until shutdown.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;
use tocsin_platform::clock::{Clock, to_ms};
use tocsin_platform::database::{Database, agreed_now};
use tocsin_platform::group_commit::GroupCommit;
use tocsin_platform::http::Check;
use tocsin_platform::lifecycle::{LifecycleError, Reconciler, Shutdown, Tasks};
use tocsin_platform::service::{Doors, Foundation, Parts, StartError};
use tocsin_proto::catalogue::Service;
use tocsin_proto::intake::v1::intake_service_server::IntakeServiceServer;
use tonic::service::Routes;

use crate::accept::{self, Submission};
use crate::api::{IntakeDoor, json};
use crate::config::IntakeConfig;
use crate::consume::IntakeConsumer;
use crate::intake::Intake;
use crate::migration::Migrator;
use crate::store;
use crate::triage_key::TriageKey;

/// How often a replica looks whether another one has heard of a new key.
const KEY_INTERVAL: Duration = Duration::from_secs(10);
/// How often old idempotent answers are looked for.
const FORGET_INTERVAL: Duration = Duration::from_mins(10);
/// How many of them one transaction forgets, so that it stays short.
const FORGET_MAX: u64 = 1_000;

/// The service, built but not running.
pub struct App {
    foundation: Foundation,
    config: IntakeConfig,
    triage_key: Arc<TriageKey>,
}

impl App {
    /// Checks the settings, opens and migrates the database, and reads the key that reports are sealed to.
    pub async fn build(parts: Parts) -> Result<Self, StartError> {
        let config = IntakeConfig::load(&parts.settings)?;
        let foundation = Foundation::lay::<Migrator>(Service::Intake, parts).await?;
        let triage_key = Arc::new(TriageKey::new(foundation.database.clone()));
        Ok(Self { foundation, config, triage_key })
    }

    /// Serves until shutdown.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), LifecycleError> {
        let Self { mut foundation, config, triage_key } = self;
        let key = Arc::clone(&triage_key);
        foundation.require(Check::new("sealing key", move || {
            let key = Arc::clone(&key);
            async move { key.current().await.is_ok() }
        }));
        let mut tasks = Tasks::new(foundation.settings.limits.drain_time());
        let (database, outbox) = (foundation.database.clone(), foundation.outbox.clone());
        let acceptance = GroupCommit::spawn("intake acceptance", config.group_max, &mut tasks, {
            let database = database.clone();
            move |group: Vec<Submission>| {
                let (database, outbox) = (database.clone(), outbox.clone());
                async move { accept::accept(&database, &outbox, group).await }
            }
        });
        tasks.spawn("intake key", look_for_keys(Arc::clone(&triage_key), shutdown.clone()));
        tasks.spawn("intake forgetting", forget(database.clone(), foundation.clock.clone(), config, shutdown.clone()));
        let clock = foundation.clock.clone();
        let intake = Arc::new(Intake::new(clock, config, database, Arc::clone(&triage_key), acceptance));
        let door = IntakeServiceServer::new(IntakeDoor(Arc::clone(&intake)))
            .max_decoding_message_size(foundation.settings.limits.grpc_message_bytes_max);
        let doors = Doors {
            routes: Routes::new(door),
            router: json::router(intake),
            consume: Arc::new(IntakeConsumer { triage_key }),
            tasks,
        };
        foundation.run(doors, shutdown).await
    }
}

/// Reads the newest key of triage now and then: on several replicas, the event reaches only one of them.
async fn look_for_keys(triage_key: Arc<TriageKey>, shutdown: Shutdown) -> Result<(), Infallible> {
    let reconciler = Reconciler::new("intake key", KEY_INTERVAL);
    let look = move || {
        let triage_key = Arc::clone(&triage_key);
        async move { triage_key.refresh().await.map(|()| None::<Duration>) }
    };
    reconciler.run(shutdown, look).await
}

/// Forgets idempotent answers after their time.
async fn forget(database: Database, clock: Clock, config: IntakeConfig, shutdown: Shutdown) -> Result<(), Infallible> {
    let reconciler = Reconciler::new("intake forgetting", FORGET_INTERVAL);
    let lifetime_ms = i64::try_from(config.idempotency_time().as_millis()).unwrap_or(i64::MAX);
    let look = move || {
        let (database, clock) = (database.clone(), clock.clone());
        async move {
            // A process with a wrong clock must not forget what a client may still ask for.
            let now_ms = to_ms(agreed_now(database.reader(), &clock).await?);
            let before_ms = now_ms.saturating_sub(lifetime_ms);
            let forgotten = forget_some(&database, before_ms).await?;
            Ok::<_, DbErr>((forgotten == FORGET_MAX).then_some(Duration::ZERO))
        }
    };
    reconciler.run(shutdown, look).await
}

/// Forgets some answers in a transaction of their own.
pub(crate) async fn forget_some(database: &Database, before_ms: i64) -> Result<u64, DbErr> {
    let transaction = database.begin().await?;
    let forgotten = store::forget_idempotent_answers(&transaction, before_ms, FORGET_MAX).await?;
    tocsin_platform::database::commit(transaction, "intake.forget_answers").await?;
    Ok(forgotten)
}

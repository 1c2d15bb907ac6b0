//! A small world for the contract: intake says that reports were received, triage takes them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, MigratorTrait, SchemaManager};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::{Lane, REPORT_RECEIVED, Service};
use tokio::task::JoinSet;

use crate::bus::{Bus, NatsSettings};
use crate::clock::Clock;
use crate::consume::{Consume, ConsumeError, Consumer, IncomingEvent};
use crate::database::{Database, platform_migrations};
use crate::lifecycle::{Shutdown, ShutdownHandle};
use crate::outbox::{Outbox, OutgoingEvent};
use crate::testing::{NatsServer, TestDatabase, wait_until};

/// Long enough for a busy machine; every wait ends as soon as its condition holds.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// The platform's tables and one of effects.
pub(super) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = platform_migrations();
        migrations.push(Box::new(Effects));
        migrations
    }
}

struct Effects;

impl MigrationName for Effects {
    fn name(&self) -> &'static str {
        "m20260102_000001_effects"
    }
}

#[async_trait]
impl MigrationTrait for Effects {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Without a key: an effect that happens twice must be seen.
        let sql = "CREATE TABLE effects (event_id TEXT, aggregate TEXT, version BIGINT, attempt BIGINT)";
        manager.get_connection().execute_unprepared(sql).await.map(|_| ())
    }
}

/// Which form of the bus the contract is tried on.
pub(super) enum Form {
    InProcess(Mutex<Bus>),
    Nats(NatsServer),
    /// With its own settings for each service, given where the server is.
    Secured(NatsServer, Box<dyn Fn(Service, String) -> NatsSettings + Send + Sync>),
}

impl Form {
    pub(super) fn in_process() -> Self {
        Self::InProcess(Mutex::new(Bus::in_process()))
    }

    pub(super) fn nats() -> Self {
        Self::Nats(NatsServer::start())
    }

    pub(super) async fn bus(&self, service: Service) -> Bus {
        match self {
            Self::InProcess(bus) => bus.lock().unwrap().clone(),
            Self::Nats(server) => Bus::nats(&server.settings(), service).await.unwrap(),
            Self::Secured(server, settings) => Bus::nats(&settings(service, server.url()), service).await.unwrap(),
        }
    }

    /// What the end of the process does to the broker: only the one without a store forgets.
    pub(super) fn crash(&self) {
        if let Self::InProcess(bus) = self {
            *bus.lock().unwrap() = Bus::in_process();
        }
    }

    /// The broker loses everything, while everybody runs.
    pub(super) async fn wipe(&self) {
        match self {
            Self::InProcess(bus) => match &*bus.lock().unwrap() {
                Bus::InProcess(bus) => bus.forget(),
                Bus::Nats(_) => unreachable!("the other form"),
            },
            Self::Nats(server) => {
                let client = async_nats::connect(server.url()).await.unwrap();
                async_nats::jetstream::new(client).delete_stream("TOCSIN_INTAKE").await.unwrap();
            }
            Self::Secured(..) => unreachable!("only a server without locks is wiped"),
        }
    }
}

/// What the handler does with its next events; after that it takes them.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Take,
    Fault,
    Away,
    Panic,
}

/// An event with this aggregate always fails.
pub(super) const BAD: &str = "bad";

/// Writes an effect for each event it takes.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) script: Mutex<VecDeque<Step>>,
    pub(super) slow: Mutex<Duration>,
    /// In the order of commits.
    pub(super) committed: Mutex<Vec<(EventId, Lane)>>,
}

#[async_trait]
impl Consume for Recorder {
    async fn consume(&self, transaction: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
        let sql = "INSERT INTO effects (event_id, aggregate, version, attempt) VALUES ($1, $2, $3, $4)";
        let values = [
            event.id.to_string().into(),
            event.aggregate.clone().into(),
            event.version.into(),
            i64::from(event.attempt).into(),
        ];
        let statement = Statement::from_sql_and_values(transaction.get_database_backend(), sql, values);
        transaction.execute_raw(statement).await?;
        let slow = *self.slow.lock().unwrap();
        if !slow.is_zero() {
            tokio::time::sleep(slow).await;
        }
        // The effect was written before it fails, so that a missing rollback would show.
        if event.aggregate == BAD {
            return Err(ConsumeError::Fault("a bad one".to_owned()));
        }
        let step = self.script.lock().unwrap().pop_front().unwrap_or(Step::Take);
        match step {
            Step::Take => Ok(()),
            Step::Fault => Err(ConsumeError::Fault("scripted".to_owned())),
            Step::Away => Err(ConsumeError::Unavailable("scripted".to_owned())),
            Step::Panic => panic!("scripted"),
        }
    }

    async fn committed(&self, event: &IncomingEvent) {
        self.committed.lock().unwrap().push((event.id, event.lane));
    }
}

/// Tasks that run until stopped or killed.
pub(super) struct Running {
    handle: ShutdownHandle,
    tasks: JoinSet<()>,
}

impl Running {
    fn start<F: Future<Output = ()> + Send + 'static>(task: impl FnOnce(Shutdown) -> F) -> Self {
        let (handle, shutdown) = Shutdown::pair();
        let mut tasks = JoinSet::new();
        tasks.spawn(task(shutdown));
        Self { handle, tasks }
    }

    /// Runs a relay.
    pub(super) fn relay(outbox: Outbox) -> Self {
        Self::start(|shutdown| async move { outbox.run_relay(shutdown).await.unwrap() })
    }

    pub(super) async fn stop(mut self) {
        self.handle.drain();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(LIMIT, ended).await.expect("the tasks end when drained");
    }

    /// As kill -9 would.
    pub(super) async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Two services, each with its database.
pub(super) struct World {
    pub(super) form: Form,
    pub(super) clock: Clock,
    pub(super) intake: Database,
    pub(super) triage: Database,
    pub(super) recorder: Arc<Recorder>,
    _folders: [TestDatabase; 2],
}

impl World {
    pub(super) async fn new(form: Form) -> Self {
        Self::on(form, [TestDatabase::sqlite(), TestDatabase::sqlite()]).await
    }

    pub(super) async fn on(form: Form, databases: [TestDatabase; 2]) -> Self {
        let [of_intake, of_triage] = &databases;
        Self {
            form,
            clock: Clock::system(),
            intake: of_intake.open::<Migrator>(Service::Intake).await,
            triage: of_triage.open::<Migrator>(Service::Triage).await,
            recorder: Arc::default(),
            _folders: databases,
        }
    }

    pub(super) async fn outbox(&self) -> Outbox {
        let bus = self.form.bus(Service::Intake).await;
        Outbox::new(Service::Intake, self.intake.clone(), bus, self.clock.clone())
    }

    /// The real server, where the world stands on one.
    pub(super) fn server(&mut self) -> &mut NatsServer {
        match &mut self.form {
            Form::Nats(server) => server,
            _ => unreachable!("the other form"),
        }
    }

    /// The server's streams and consumers as a stranger reaches them.
    pub(super) async fn stranger(&self) -> async_nats::jetstream::Context {
        let Form::Nats(server) = &self.form else { unreachable!("the other form") };
        async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap())
    }

    /// Starts the relay of intake.
    pub(super) async fn relay(&self) -> (Outbox, Running) {
        let outbox = self.outbox().await;
        let running = Running::relay(outbox.clone());
        (outbox, running)
    }

    /// Starts the consumer of triage.
    pub(super) async fn consumer(&self) -> Running {
        let bus = self.form.bus(Service::Triage).await;
        let outbox = Outbox::new(Service::Triage, self.triage.clone(), bus.clone(), self.clock.clone());
        let consumer = Consumer::new(
            Service::Triage,
            self.triage.clone(),
            bus,
            self.clock.clone(),
            outbox,
            Arc::clone(&self.recorder) as Arc<dyn Consume>,
        );
        let consumer = consumer.with_fault_delay(Duration::from_millis(50));
        Running::start(|shutdown| async move { consumer.run(shutdown).await.unwrap() })
    }

    pub(super) fn event(&self, lane: Lane, aggregate: &str, version: i64) -> OutgoingEvent {
        let message = prost_types::Duration { seconds: version, nanos: 0 };
        OutgoingEvent::new(&REPORT_RECEIVED, lane, aggregate, version, &message, self.clock.now())
    }

    /// Commits events in one transaction, as a service does.
    pub(super) async fn commit(&self, outbox: &Outbox, events: &[OutgoingEvent]) {
        let transaction = self.intake.begin().await.unwrap();
        outbox.record(&transaction, events).await.unwrap();
        transaction.commit().await.unwrap();
        outbox.wake();
    }

    pub(super) async fn commit_many(&self, outbox: &Outbox, lane: Lane, count: i64) {
        let events: Vec<_> = (1..=count).map(|version| self.event(lane, "aggregate", version)).collect();
        self.commit(outbox, &events).await;
    }

    /// One number out of a database.
    pub(super) async fn number(database: &Database, sql: &str) -> i64 {
        let statement = Statement::from_string(database.backend(), sql);
        database.reader().query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    pub(super) async fn effects(&self) -> i64 {
        Self::number(&self.triage, "SELECT COUNT(*) FROM effects").await
    }

    pub(super) async fn owed(&self) -> i64 {
        Self::number(&self.intake, "SELECT COUNT(*) FROM outbox_owed").await
    }

    pub(super) async fn published(&self) -> i64 {
        Self::number(&self.intake, "SELECT COUNT(*) FROM outbox_owed WHERE published_at_ms IS NOT NULL").await
    }

    pub(super) async fn generations(&self) -> i64 {
        Self::number(&self.intake, "SELECT CAST(COALESCE(SUM(generation), 0) AS BIGINT) FROM outbox_owed").await
    }

    /// Waits until nothing is owed, and checks that each event had its effect exactly once.
    pub(super) async fn settled(&self, events: i64) {
        wait_until("nothing is owed", LIMIT, async || self.owed().await == 0).await;
        assert_eq!(self.effects().await, events, "each event has its effect");
        let distinct = Self::number(&self.triage, "SELECT COUNT(DISTINCT event_id) FROM effects").await;
        assert_eq!(distinct, events, "and once");
    }
}

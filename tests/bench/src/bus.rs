//! Two services and the bus between them, on PostgreSQL and a real broker, in this process: intake says that reports
//! were received, triage takes them and has no effects of its own, so that what is measured is the road alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use async_trait::async_trait;
use sea_orm::DatabaseTransaction;
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tocsin_domain::id::EventId;
use tocsin_platform::bus::Bus;
use tocsin_platform::clock::Clock;
use tocsin_platform::consume::{Consume, ConsumeError, Consumer, IncomingEvent};
use tocsin_platform::database::{Database, DatabaseSettings, commit, platform_migrations};
use tocsin_platform::lifecycle::{Shutdown, ShutdownHandle};
use tocsin_platform::outbox::{Outbox, OutgoingEvent};
use tocsin_platform::testing::{NatsServer, PostgresServer};
use tocsin_proto::catalogue::{Lane, REPORT_RECEIVED, Service};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Connections of each service.
const CONNECTIONS: u32 = 34;
/// No wait is longer.
const LIMIT: Duration = Duration::from_mins(3);
/// Bytes of a payload.
const PAYLOAD: usize = 1024;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        platform_migrations()
    }
}

/// The servers of one run.
pub(crate) struct Servers {
    postgres: PostgresServer,
    nats: NatsServer,
}

impl Servers {
    pub(crate) async fn start() -> Self {
        Self { postgres: PostgresServer::durable().await, nats: NatsServer::start() }
    }

    pub(crate) async fn database(&self) -> String {
        self.postgres.create_database().await
    }

    pub(crate) fn broker(&self) -> String {
        self.nats.url()
    }

    /// Two services on empty databases, running.
    pub(crate) async fn road(&self, form: Form) -> Result<Road> {
        let settings = DatabaseSettings { url: self.database().await, connections_max: CONNECTIONS };
        let clock = Clock::system();
        let intake = Database::open(&settings, Service::Intake).await?;
        intake.migrate::<Migrator>().await?;
        let triage = Database::open(&settings, Service::Triage).await?;
        triage.migrate::<Migrator>().await?;
        let bus = Bus::nats(&self.nats.settings(), Service::Intake).await?;
        let outbox = Outbox::new(Service::Intake, intake.clone(), bus, clock.clone());
        let bus = Bus::nats(&self.nats.settings(), Service::Triage).await?;
        let of_triage = Outbox::new(Service::Triage, triage.clone(), bus.clone(), clock.clone());
        let (sender, taken) = mpsc::unbounded_channel();
        let handler = Arc::new(Taken { sender });
        let consumer = Consumer::new(Service::Triage, triage, bus, clock.clone(), of_triage, handler);
        let consumer = if form == Form::OneByOne { consumer.one_by_one() } else { consumer };
        let (handle, shutdown) = Shutdown::pair();
        let mut tasks = JoinSet::new();
        let (relay, draining) = (outbox.clone(), shutdown.clone());
        tasks.spawn(async move { relay.run_relay(draining).await.map_err(anyhow::Error::from) });
        tasks.spawn(async move { consumer.run(shutdown).await.map_err(anyhow::Error::from) });
        let mut road = Road { intake, outbox, clock, taken, handle, tasks };
        // The stream and the consumers are made meanwhile.
        road.say(1, 3).await?;
        road.settled(3).await?;
        Ok(road)
    }
}

/// Whether events are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Batches,
    OneByOne,
}

/// Says which events are committed at triage, and when.
struct Taken {
    sender: mpsc::UnboundedSender<(EventId, Instant)>,
}

#[async_trait]
impl Consume for Taken {
    async fn consume(&self, _transaction: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
        event.message::<tocsin_proto::event::v1::ReportReceived>().map(|_| ())
    }

    async fn committed(&self, event: &IncomingEvent) {
        // Nobody listens at the end any more.
        let _ = self.sender.send((event.id, Instant::now()));
    }
}

/// The road from intake to triage.
pub(crate) struct Road {
    intake: Database,
    outbox: Outbox,
    clock: Clock,
    taken: mpsc::UnboundedReceiver<(EventId, Instant)>,
    handle: ShutdownHandle,
    tasks: JoinSet<Result<()>>,
}

impl Road {
    fn event(&self, lane: Lane, number: usize) -> OutgoingEvent {
        let message = tocsin_proto::event::v1::ReportReceived {
            content: Some(tocsin_proto::common::v1::Sealed { ciphertext: vec![7; PAYLOAD], ..Default::default() }),
            ..Default::default()
        };
        OutgoingEvent::new(&REPORT_RECEIVED, lane, format!("report-{number}"), 1, &message, self.clock.now())
    }

    /// Commits that many transactions of so many events each, over 32 connections, spread over the lanes.
    pub(crate) async fn say(&self, transactions: usize, events: usize) -> Result<()> {
        let writers = transactions.min(32);
        let mut writing = JoinSet::new();
        for writer in 0..writers {
            let share: Vec<Vec<OutgoingEvent>> = (writer..transactions)
                .step_by(writers)
                .map(|transaction| {
                    let lane = Lane::ALL[transaction % Lane::ALL.len()];
                    (0..events).map(|event| self.event(lane, transaction * events + event)).collect()
                })
                .collect();
            let (intake, outbox) = (self.intake.clone(), self.outbox.clone());
            writing.spawn(async move {
                for events in share {
                    let transaction = intake.begin().await?;
                    outbox.record(&transaction, &events).await?;
                    commit(transaction, "intake.accept").await?;
                    outbox.wake();
                }
                Ok::<(), sea_orm::DbErr>(())
            });
        }
        while let Some(written) = writing.join_next().await {
            written??;
        }
        Ok(())
    }

    /// Waits until so many more events are taken and nothing is owed.
    pub(crate) async fn settled(&mut self, events: usize) -> Result<()> {
        for _ in 0..events {
            let taken = tokio::time::timeout(LIMIT, self.taken.recv()).await;
            taken.context("events were not taken in time")?.context("the consumer has ended")?;
        }
        let started = Instant::now();
        while self.outbox.lag().await?.owed > 0 {
            anyhow::ensure!(started.elapsed() < LIMIT, "events were not settled in time");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// One event through an idle road: the time from the end of the commit to the end of the consumer's.
    pub(crate) async fn hop(&mut self, number: usize) -> Result<Duration> {
        let event = self.event(Lane::Urgent, number);
        let id = event.id;
        let transaction = self.intake.begin().await?;
        self.outbox.record(&transaction, &[event]).await?;
        commit(transaction, "intake.accept").await?;
        let committed = Instant::now();
        self.outbox.wake();
        loop {
            let taken = tokio::time::timeout(LIMIT, self.taken.recv()).await;
            let (taken, at) = taken.context("the event was not taken in time")?.context("the consumer has ended")?;
            if taken == id {
                return Ok(at.saturating_duration_since(committed));
            }
        }
    }

    /// Ends both services.
    pub(crate) async fn close(mut self) -> Result<()> {
        self.handle.drain();
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

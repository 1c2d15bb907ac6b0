//! A stand-in for another service: it says events through an outbox of its own and remembers those it hears.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use prost::Message;
use sea_orm::DatabaseTransaction;
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tocsin_platform::bus::Bus;
use tocsin_platform::clock::Clock;
use tocsin_platform::consume::{Consume, ConsumeError, Consumer, IncomingEvent};
use tocsin_platform::database::{Database, DatabaseSettings, platform_migrations};
use tocsin_platform::lifecycle::{Shutdown, ShutdownHandle};
use tocsin_platform::outbox::{Outbox, OutgoingEvent};
use tocsin_proto::catalogue::{EventKind, Lane, Service};

struct PlatformTables;

#[async_trait]
impl MigratorTrait for PlatformTables {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        platform_migrations()
    }
}

struct Ear {
    heard: Arc<Mutex<Vec<IncomingEvent>>>,
}

#[async_trait]
impl Consume for Ear {
    async fn consume(&self, _: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
        self.heard.lock().unwrap().push(event.clone());
        Ok(())
    }
}

/// The stand-in.
pub(super) struct Neighbour {
    heard: Arc<Mutex<Vec<IncomingEvent>>>,
    database: Database,
    outbox: Outbox,
    clock: Clock,
    shutdown: ShutdownHandle,
}

impl Neighbour {
    pub(super) async fn start(service: Service, folder: &Path, bus: &Bus, clock: &Clock) -> Self {
        let url = format!("sqlite:{}", folder.join("neighbours").display());
        let database = Database::open(&DatabaseSettings { url, connections_max: 4 }, service).await.unwrap();
        database.migrate::<PlatformTables>().await.unwrap();
        let outbox = Outbox::new(service, database.clone(), bus.clone(), clock.clone());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::new(Ear { heard: Arc::clone(&heard) });
        let (handle, shutdown) = Shutdown::pair();
        tokio::spawn(outbox.clone().run_relay(shutdown.clone()));
        let consumer = Consumer::new(service, database.clone(), bus.clone(), clock.clone(), outbox.clone(), ear);
        tokio::spawn(consumer.run(shutdown));
        Self { heard, database, outbox, clock: clock.clone(), shutdown: handle }
    }

    pub(super) async fn say(&self, kind: &'static EventKind, lane: Lane, version: i64, message: &impl Message) {
        let event = OutgoingEvent::new(kind, lane, "aggregate", version, message, self.clock.now());
        let transaction = self.database.begin().await.unwrap();
        self.outbox.record(&transaction, &[event]).await.unwrap();
        transaction.commit().await.unwrap();
        self.outbox.wake();
    }

    /// Every event of a kind that it has heard, decoded.
    pub(super) fn heard<M: Message + Default>(&self, kind: &EventKind) -> Vec<M> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|event| event.kind == kind).map(|event| event.message().unwrap()).collect()
    }

    /// The lanes of every event of a kind that it has heard.
    pub(super) fn lanes(&self, kind: &EventKind) -> Vec<Lane> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|event| event.kind == kind).map(|event| event.lane).collect()
    }

    /// The payloads of everything that it has heard.
    pub(super) fn payloads(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().iter().map(|event| event.payload.to_vec()).collect()
    }

    /// How many of its events dispatch has not settled.
    pub(super) async fn owed(&self) -> u64 {
        self.outbox.lag().await.unwrap().owed
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.shutdown.stop();
    }
}

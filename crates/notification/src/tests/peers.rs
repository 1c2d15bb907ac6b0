//! Stand-ins for dispatch and triage: they say what notification hears, and dispatch keeps what it is told.

use std::collections::BTreeMap;
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
use tocsin_platform::seal::PublicSealingKey;
use tocsin_proto::catalogue::{
    EventKind, Lane, NOTICES_PROGRESSED, NOTIFICATION_KEY_PUBLISHED, REPLY_RECEIVED, Service,
};
use tocsin_proto::dispatch::v1::NoticeProgress;
use tocsin_proto::event::v1::{KeyPublished, NoticesProgressed, ReplyReceived};

struct PlatformTables;

#[async_trait]
impl MigratorTrait for PlatformTables {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        platform_migrations()
    }
}

/// What dispatch knows: notification's key, and the newest version of each notice.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) key: Option<PublicSealingKey>,
    pub(super) notices: BTreeMap<String, NoticeProgress>,
    pub(super) replies: Vec<ReplyReceived>,
}

struct Ear {
    heard: Arc<Mutex<Heard>>,
}

#[async_trait]
impl Consume for Ear {
    async fn consume(&self, _: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
        let mut heard = self.heard.lock().unwrap();
        if *event.kind == NOTIFICATION_KEY_PUBLISHED {
            let said: KeyPublished = event.message()?;
            heard.key = Some(said.key.unwrap().try_into().unwrap());
        } else if *event.kind == NOTICES_PROGRESSED {
            let said: NoticesProgressed = event.message()?;
            for notice in said.notices {
                let known = heard.notices.get(&notice.notice_id).map_or(0, |known| known.version);
                if notice.version > known {
                    heard.notices.insert(notice.notice_id.clone(), notice);
                }
            }
        } else if *event.kind == REPLY_RECEIVED {
            heard.replies.push(event.message()?);
        }
        Ok(())
    }
}

/// One stand-in.
pub(super) struct Peer {
    pub(super) heard: Arc<Mutex<Heard>>,
    database: Database,
    outbox: Outbox,
    clock: Clock,
    shutdown: ShutdownHandle,
}

impl Peer {
    /// Starts it on what an earlier one left in `folder`.
    pub(super) async fn start(
        service: Service,
        folder: &Path,
        bus: &Bus,
        clock: &Clock,
        heard: Arc<Mutex<Heard>>,
    ) -> Self {
        let url = format!("sqlite:{}", folder.join("peers").display());
        let database = Database::open(&DatabaseSettings { url, connections_max: 4 }, service).await.unwrap();
        database.migrate::<PlatformTables>().await.unwrap();
        let outbox = Outbox::new(service, database.clone(), bus.clone(), clock.clone());
        let ear = Arc::new(Ear { heard: Arc::clone(&heard) });
        let (handle, shutdown) = Shutdown::pair();
        tokio::spawn(outbox.clone().run_relay(shutdown.clone()));
        let consumer = Consumer::new(service, database.clone(), bus.clone(), clock.clone(), outbox.clone(), ear);
        tokio::spawn(consumer.run(shutdown));
        Self { heard, database, outbox, clock: clock.clone(), shutdown: handle }
    }

    pub(super) async fn say(&self, kind: &'static EventKind, aggregate: &str, said: &impl Message) {
        let now = self.clock.now();
        let event = OutgoingEvent::new(kind, Lane::Urgent, aggregate, now.timestamp_millis(), said, now);
        let transaction = self.database.begin().await.unwrap();
        self.outbox.record(&transaction, &[event]).await.unwrap();
        transaction.commit().await.unwrap();
        self.outbox.wake();
    }

    /// What notification has not settled.
    pub(super) async fn owed(&self) -> u64 {
        self.outbox.lag().await.unwrap().owed
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shutdown.drain();
        self.shutdown.stop();
    }
}

//! A stand-in for triage: it says its key, opens what intake sends, and answers reporters.

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
use tocsin_platform::seal::{self, PublicSealingKey, Sealed, SealingKeyPair};
use tocsin_proto::catalogue::{
    ANSWER_RECORDED, EventKind, Lane, MESSAGE_RECEIVED, REPORT_RECEIVED, Service, TRIAGE_KEY_PUBLISHED,
};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::{AnswerRecorded, KeyPublished, MessageReceived, ReportReceived};
use tocsin_proto::intake::v1::Report;

struct PlatformTables;

#[async_trait]
impl MigratorTrait for PlatformTables {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        platform_migrations()
    }
}

/// What the stand-in has opened so far.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) reports: Vec<(ReportReceived, Report)>,
    pub(super) messages: Vec<(MessageReceived, String)>,
}

struct Ear {
    pair: SealingKeyPair,
    heard: Arc<Mutex<Heard>>,
}

#[async_trait]
impl Consume for Ear {
    async fn consume(&self, _: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
        assert_eq!(event.lane, Lane::Urgent);
        if *event.kind == REPORT_RECEIVED {
            let said: ReportReceived = event.message()?;
            let sealed = Sealed::from(said.content.clone().unwrap());
            let content = seal::open(&self.pair, &format!("report:{}", said.report_id), &sealed).unwrap();
            let report = Report::decode(content.as_slice()).unwrap();
            self.heard.lock().unwrap().reports.push((said, report));
        } else if *event.kind == MESSAGE_RECEIVED {
            let said: MessageReceived = event.message()?;
            let sealed = Sealed::from(said.content.clone().unwrap());
            let content = seal::open(&self.pair, &format!("message:{}", said.message_id), &sealed).unwrap();
            self.heard.lock().unwrap().messages.push((said, String::from_utf8(content.to_vec()).unwrap()));
        }
        Ok(())
    }
}

/// The stand-in.
pub(super) struct Triage {
    pub(super) heard: Arc<Mutex<Heard>>,
    pair: SealingKeyPair,
    database: Database,
    outbox: Outbox,
    clock: Clock,
    shutdown: ShutdownHandle,
}

impl Triage {
    /// Starts it on the bus with a key pair of its own, and a database in `folder`.
    pub(super) async fn start(folder: &Path, bus: &Bus, clock: &Clock) -> Self {
        let pair = SealingKeyPair::generate().unwrap();
        std::fs::write(folder.join("triage.key"), pair.to_secret_bytes().as_slice()).unwrap();
        Self::start_again(folder, bus, clock, Arc::default()).await
    }

    /// Starts it on what an earlier one left in `folder`, knowing what that one heard.
    pub(super) async fn start_again(folder: &Path, bus: &Bus, clock: &Clock, heard: Arc<Mutex<Heard>>) -> Self {
        let pair = SealingKeyPair::from_secret_bytes(&std::fs::read(folder.join("triage.key")).unwrap()).unwrap();
        let url = format!("sqlite:{}", folder.join("triage").display());
        let database = Database::open(&DatabaseSettings { url, connections_max: 4 }, Service::Triage).await.unwrap();
        database.migrate::<PlatformTables>().await.unwrap();
        let outbox = Outbox::new(Service::Triage, database.clone(), bus.clone(), clock.clone());
        let ear = Arc::new(Ear { pair: pair.clone(), heard: Arc::clone(&heard) });
        let (handle, shutdown) = Shutdown::pair();
        tokio::spawn(outbox.clone().run_relay(shutdown.clone()));
        let consumer =
            Consumer::new(Service::Triage, database.clone(), bus.clone(), clock.clone(), outbox.clone(), ear);
        tokio::spawn(consumer.run(shutdown));
        Self { heard, pair, database, outbox, clock: clock.clone(), shutdown: handle }
    }

    /// Says its public key.
    pub(super) async fn say_key(&self) {
        let now = self.clock.now();
        let key = self.pair.public().clone();
        let said = KeyPublished { key: Some((&key).into()), published_at: Some(timestamp(now)) };
        self.say(&TRIAGE_KEY_PUBLISHED, &key.id, 1, &said).await;
    }

    /// Answers a report; the text is sealed to the receipt key that came with the report.
    pub(super) async fn answer(&self, report_id: &str, version: u64, state: &str, answer: Option<(&str, &str)>) {
        let key = {
            let heard = self.heard.lock().unwrap();
            let (said, _) = heard.reports.iter().find(|(said, _)| said.report_id == report_id).unwrap();
            PublicSealingKey::try_from(said.receipt_key.clone().unwrap()).unwrap()
        };
        let content =
            answer.map(|(id, text)| seal::seal(&key, &format!("answer:{id}"), text.as_bytes()).unwrap().into());
        let said = AnswerRecorded {
            report_id: report_id.to_owned(),
            version,
            state: state.to_owned(),
            at: Some(timestamp(self.clock.now())),
            answer_id: answer.map(|(id, _)| id.to_owned()).unwrap_or_default(),
            content,
        };
        self.say(&ANSWER_RECORDED, report_id, i64::try_from(version).unwrap(), &said).await;
    }

    async fn say(&self, kind: &'static EventKind, aggregate: &str, version: i64, said: &impl Message) {
        let event = OutgoingEvent::new(kind, Lane::Urgent, aggregate, version, said, self.clock.now());
        let transaction = self.database.begin().await.unwrap();
        self.outbox.record(&transaction, &[event]).await.unwrap();
        transaction.commit().await.unwrap();
        self.outbox.wake();
    }

    /// What is owed to intake still.
    pub(super) async fn owed(&self) -> u64 {
        self.outbox.lag().await.unwrap().owed
    }
}

impl Drop for Triage {
    fn drop(&mut self) {
        self.shutdown.stop();
        self.shutdown.drain();
    }
}

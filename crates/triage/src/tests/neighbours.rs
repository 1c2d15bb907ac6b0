//! The services around triage as a test needs them: outboxes that say events, consumers that remember what they heard,
//! and a dispatch and a notification that answer the questions before a release.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::DatabaseTransaction;
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tocsin_platform::bus::Bus;
use tocsin_platform::clock::Clock;
use tocsin_platform::consume::{Consume, ConsumeError, Consumer, IncomingEvent};
use tocsin_platform::database::{Database, DatabaseSettings, platform_migrations};
use tocsin_platform::lifecycle::Shutdown;
use tocsin_platform::outbox::{Outbox, OutgoingEvent};
use tocsin_proto::catalogue::{EventKind, Service};
use tocsin_proto::dispatch::v1 as dispatch;
use tocsin_proto::dispatch::v1::alert_service_server::{AlertService, AlertServiceServer};
use tocsin_proto::notification::v1 as notification;
use tocsin_proto::notification::v1::notice_service_server::{NoticeService, NoticeServiceServer};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// What all neighbours heard, in the order of their commits.
#[derive(Clone, Default)]
pub(super) struct Heard {
    events: Arc<Mutex<Vec<IncomingEvent>>>,
}

impl Heard {
    pub(super) fn of<M: prost::Message + Default>(&self, kind: &EventKind) -> Vec<M> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| event.kind == kind).map(|event| event.message().unwrap()).collect()
    }

    pub(super) fn payloads(&self) -> Vec<Vec<u8>> {
        self.events.lock().unwrap().iter().map(|event| event.payload.to_vec()).collect()
    }

    pub(super) fn envelopes(&self) -> Vec<(String, i64, &'static str)> {
        let events = self.events.lock().unwrap();
        events.iter().map(|event| (event.aggregate.clone(), event.version, event.lane.as_str())).collect()
    }
}

#[async_trait]
impl Consume for Heard {
    async fn consume(&self, _: &DatabaseTransaction, _: &IncomingEvent) -> Result<(), ConsumeError> {
        Ok(())
    }

    async fn committed(&self, event: &IncomingEvent) {
        self.events.lock().unwrap().push(event.clone());
    }
}

struct PlatformTables;

#[async_trait]
impl MigratorTrait for PlatformTables {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        platform_migrations()
    }
}

/// A service that says events and hears triage's.
#[derive(Clone)]
pub(super) struct Neighbour {
    database: Database,
    outbox: Outbox,
}

impl Neighbour {
    pub(super) async fn start(
        service: Service,
        settings: &DatabaseSettings,
        bus: &Bus,
        clock: &Clock,
        heard: &Heard,
        shutdown: &Shutdown,
    ) -> Self {
        let database = Database::open(settings, service).await.unwrap();
        database.migrate::<PlatformTables>().await.unwrap();
        let outbox = Outbox::new(service, database.clone(), bus.clone(), clock.clone());
        let handler = Arc::new(heard.clone());
        let consumer = Consumer::new(service, database.clone(), bus.clone(), clock.clone(), outbox.clone(), handler);
        tokio::spawn(outbox.clone().run_relay(shutdown.clone()));
        tokio::spawn(consumer.run(shutdown.clone()));
        Self { database, outbox }
    }

    pub(super) async fn say(&self, event: OutgoingEvent) {
        let transaction = self.database.begin().await.unwrap();
        self.outbox.record(&transaction, &[event]).await.unwrap();
        transaction.commit().await.unwrap();
        self.outbox.wake();
    }
}

/// What the neighbours answer to questions; a test changes it.
#[derive(Clone, Default)]
pub(super) struct Answers {
    inner: Arc<Mutex<Answering>>,
}

#[derive(Default)]
struct Answering {
    audience: dispatch::PreviewAudienceResponse,
    asked: Vec<dispatch::PreviewAudienceRequest>,
    asked_notices: Vec<notification::PreviewNoticesRequest>,
    keys: Vec<String>,
    away: bool,
    pause: Duration,
}

impl Answers {
    pub(super) fn audience(&self, organisations: &[&str], without_clearance: &[&str]) {
        let texts = |ids: &[&str]| ids.iter().map(ToString::to_string).collect();
        self.inner.lock().unwrap().audience = dispatch::PreviewAudienceResponse {
            organisation_ids: texts(organisations),
            without_clearance: texts(without_clearance),
            contacts: 2,
            contact_ids: texts(&["contact-1", "contact-2"]),
        };
    }

    pub(super) fn away(&self, away: bool) {
        self.inner.lock().unwrap().away = away;
    }

    /// How long dispatch thinks before it answers.
    pub(super) fn pause(&self, pause: Duration) {
        self.inner.lock().unwrap().pause = pause;
    }

    pub(super) fn asked(&self) -> Vec<dispatch::PreviewAudienceRequest> {
        self.inner.lock().unwrap().asked.clone()
    }

    pub(super) fn asked_notices(&self) -> Vec<notification::PreviewNoticesRequest> {
        self.inner.lock().unwrap().asked_notices.clone()
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.inner.lock().unwrap().keys.clone()
    }
}

/// Serves both questions on one loopback port until the drain.
pub(super) async fn serve(answers: &Answers, shutdown: &Shutdown) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (answers, shutdown) = (answers.clone(), shutdown.clone());
    tokio::spawn(async move {
        tonic::transport::Server::builder()
            .add_service(AlertServiceServer::new(answers.clone()))
            .add_service(NoticeServiceServer::new(answers))
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async move { shutdown.draining().await })
            .await
    });
    address
}

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl AlertService for Answers {
    type WatchAlertsStream = tokio_stream::Empty<Result<dispatch::WatchAlertsResponse, Status>>;

    async fn preview_audience(
        &self,
        request: Request<dispatch::PreviewAudienceRequest>,
    ) -> Answer<dispatch::PreviewAudienceResponse> {
        let (answer, pause) = {
            let mut inner = self.inner.lock().unwrap();
            if inner.away {
                return Err(Status::unavailable("away"));
            }
            let key = request.metadata().get("authorization").unwrap().to_str().unwrap().to_owned();
            inner.keys.push(key);
            inner.asked.push(request.into_inner());
            (inner.audience.clone(), inner.pause)
        };
        tokio::time::sleep(pause).await;
        Ok(Response::new(answer))
    }

    async fn watch_alerts(&self, _: Request<dispatch::WatchAlertsRequest>) -> Answer<Self::WatchAlertsStream> {
        Err(Status::unimplemented("not asked by triage"))
    }

    async fn list_alerts(&self, _: Request<dispatch::ListAlertsRequest>) -> Answer<dispatch::ListAlertsResponse> {
        Err(Status::unimplemented("not asked by triage"))
    }

    async fn get_alert(&self, _: Request<dispatch::GetAlertRequest>) -> Answer<dispatch::GetAlertResponse> {
        Err(Status::unimplemented("not asked by triage"))
    }

    async fn respond_to_alert(
        &self,
        _: Request<dispatch::RespondToAlertRequest>,
    ) -> Answer<dispatch::RespondToAlertResponse> {
        Err(Status::unimplemented("not asked by triage"))
    }

    async fn get_coverage(&self, _: Request<dispatch::GetCoverageRequest>) -> Answer<dispatch::GetCoverageResponse> {
        Err(Status::unimplemented("not asked by triage"))
    }
}

#[async_trait]
impl NoticeService for Answers {
    async fn preview_notices(
        &self,
        request: Request<notification::PreviewNoticesRequest>,
    ) -> Answer<notification::PreviewNoticesResponse> {
        self.inner.lock().unwrap().asked_notices.push(request.into_inner());
        let preview = notification::NoticePreview {
            channel: "sms".to_owned(),
            language: "en".to_owned(),
            subject: String::new(),
            text: "A7F3-K2C P1 12/07 06:00Z olive".to_owned(),
        };
        Ok(Response::new(notification::PreviewNoticesResponse {
            previews: vec![preview],
            ..notification::PreviewNoticesResponse::default()
        }))
    }

    async fn list_notices(
        &self,
        _: Request<notification::ListNoticesRequest>,
    ) -> Answer<notification::ListNoticesResponse> {
        Err(Status::unimplemented("not asked by triage"))
    }

    async fn get_notice(&self, _: Request<notification::GetNoticeRequest>) -> Answer<notification::GetNoticeResponse> {
        Err(Status::unimplemented("not asked by triage"))
    }

    async fn get_notice_progress(
        &self,
        _: Request<notification::GetNoticeProgressRequest>,
    ) -> Answer<notification::GetNoticeProgressResponse> {
        Err(Status::unimplemented("not asked by triage"))
    }

    async fn redrive_notices(
        &self,
        _: Request<notification::RedriveNoticesRequest>,
    ) -> Answer<notification::RedriveNoticesResponse> {
        Err(Status::unimplemented("not asked by triage"))
    }

    async fn withdraw_notices(
        &self,
        _: Request<notification::WithdrawNoticesRequest>,
    ) -> Answer<notification::WithdrawNoticesResponse> {
        Err(Status::unimplemented("not asked by triage"))
    }

    async fn list_changes(
        &self,
        _: Request<notification::ListChangesRequest>,
    ) -> Answer<notification::ListChangesResponse> {
        Err(Status::unimplemented("not asked by triage"))
    }
}

//! A running notification service, its sinks, and verbs to use it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prost::Message as _;
use tempfile::TempDir;
use tocsin_domain::role::Role;
use tocsin_platform::bus::Bus;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::Settings;
use tocsin_platform::credentials::{Credentials, NewKey};
use tocsin_platform::lifecycle::{LifecycleError, Shutdown, ShutdownHandle};
use tocsin_platform::seal;
use tocsin_platform::service::Parts;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::{NOTICES_REQUESTED, NOTICES_WITHDRAWN, PAGE_REQUESTED, Service};
use tocsin_proto::common::v1::{AlertText, Person};
use tocsin_proto::convert::timestamp;
use tocsin_proto::dispatch::v1::NoticeProgress;
use tocsin_proto::event::v1::{AlertTexts, NoticeRecipient, NoticesRequested, NoticesWithdrawn, PageRequested};
use tocsin_proto::notification::v1::contact_service_client::ContactServiceClient;
use tocsin_proto::notification::v1::gateway_service_client::GatewayServiceClient;
use tocsin_proto::notification::v1::mail_suppression_service_client::MailSuppressionServiceClient;
use tocsin_proto::notification::v1::notice_service_client::NoticeServiceClient;
use tocsin_proto::notification::v1::reply_service_client::ReplyServiceClient;
use tocsin_proto::notification::v1::{Contact, ImportContactsRequest, ImportContactsResponse};
use tocsin_sinks::{MailSink, SmsSink, WebhookSink};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Request, Status};
use uuid::Uuid;

use super::peers::{Heard, Peer};
use crate::App;
use crate::office::Office;

/// How long anything may take in a test.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Everything.
pub(super) struct Harness {
    pub(super) database: TestDatabase,
    folder: TempDir,
    settings: String,
    pub(super) clock: Clock,
    pub(super) dispatch: Peer,
    triage: Peer,
    bus: Bus,
    pub(super) running: Running,
    pub(super) mail: MailSink,
    pub(super) sms: SmsSink,
    pub(super) webhooks: WebhookSink,
}

/// One process.
pub(super) struct Running {
    grpc: String,
    pub(super) http: String,
    credentials: Credentials,
    pub(super) office: Arc<Office>,
    handle: ShutdownHandle,
    task: JoinHandle<Result<(), LifecycleError>>,
}

impl Running {
    pub(super) async fn stop(self) {
        self.handle.drain();
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("notification drains in time").unwrap().unwrap();
    }
}

/// An alert to ask notices for.
#[derive(Clone)]
pub(super) struct Alert {
    pub(super) id: Uuid,
    pub(super) revision: u32,
    pub(super) priority: &'static str,
    pub(super) tlp: &'static str,
    pub(super) drill: bool,
    pub(super) deadline_hours: i64,
    pub(super) consent_hours: Option<i64>,
    pub(super) languages: &'static [&'static str],
    pub(super) short_code: &'static str,
}

impl Alert {
    pub(super) fn new(priority: &'static str, tlp: &'static str) -> Self {
        Self {
            id: Uuid::now_v7(),
            revision: 0,
            priority,
            tlp,
            drill: false,
            deadline_hours: 4,
            consent_hours: None,
            languages: &["en", "es"],
            short_code: "A7F3-K2C",
        }
    }
}

impl Harness {
    pub(super) async fn start(database: TestDatabase) -> Self {
        Self::start_with(database, "").await
    }

    /// Starts it with further settings (keys of `[notification]`, or sections).
    pub(super) async fn start_with(database: TestDatabase, more: &str) -> Self {
        let mail = MailSink::start(Duration::ZERO).await.unwrap();
        let address = mail.address();
        Self::start_before(database, more, address, mail).await
    }

    /// The same with the gateways of `more` only.
    pub(super) async fn start_only(database: TestDatabase, more: &str) -> Self {
        let mail = MailSink::start(Duration::ZERO).await.unwrap();
        let address = mail.address();
        Self::start_before(database, &more.replace("[[notification.sms.gateways]]", "[[only]]"), address, mail).await
    }

    /// The same with another mail server than the sink.
    pub(super) async fn start_before(
        database: TestDatabase,
        more: &str,
        smarthost: std::net::SocketAddr,
        mail: MailSink,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (bus, clock) = (Bus::in_process(), Clock::system());
        let sms = SmsSink::start().await.unwrap();
        let webhooks = WebhookSink::start(None, Duration::ZERO).await.unwrap();
        let settings = settings(&database, folder.path(), more, smarthost.port(), sms.address().port());
        let heard = Arc::new(Mutex::new(Heard::default()));
        let dispatch = Peer::start(Service::Dispatch, folder.path(), &bus, &clock, heard).await;
        let triage = Peer::start(Service::Triage, folder.path(), &bus, &clock, Arc::default()).await;
        let running = Box::pin(run(&settings, bus.clone(), clock.clone())).await;
        let harness = Self { database, folder, settings, clock, dispatch, triage, bus, running, mail, sms, webhooks };
        let told = async || harness.dispatch.heard.lock().unwrap().key.is_some();
        wait_until("notification's key is known", PATIENCE, told).await;
        harness
    }

    /// Ends all tasks where they stand and starts again on the same database.
    pub(super) async fn killed_and_started_again(self) -> Self {
        let Self { database, folder, settings, clock, dispatch, triage, running, mail, sms, webhooks, .. } = self;
        running.task.abort();
        let _ = running.task.await;
        let heard = Arc::clone(&dispatch.heard);
        drop((dispatch, triage));
        let bus = Bus::in_process();
        let dispatch = Peer::start(Service::Dispatch, folder.path(), &bus, &clock, heard).await;
        let triage = Peer::start(Service::Triage, folder.path(), &bus, &clock, Arc::default()).await;
        let running = Box::pin(run(&settings, bus.clone(), clock.clone())).await;
        Self { database, folder, settings, clock, dispatch, triage, bus, running, mail, sms, webhooks }
    }

    /// Starts another process over the same database and bus. It ends when what is returned is stopped.
    pub(super) async fn another(&self, clock: Clock) -> Running {
        Box::pin(run(&self.settings, self.bus.clone(), clock)).await
    }

    /// Drains it; a task that failed fails the test.
    pub(super) async fn stop(self) {
        self.running.stop().await;
    }

    /// The folders that hold databases and keys.
    pub(super) fn folders(&self) -> Vec<&Path> {
        [Some(self.folder.path()), self.database.folder()].into_iter().flatten().collect()
    }

    pub(super) fn grpc(&self) -> &str {
        &self.running.grpc
    }

    pub(super) fn http(&self) -> &str {
        &self.running.http
    }

    pub(super) async fn contacts(&self) -> ContactServiceClient<Channel> {
        ContactServiceClient::connect(self.running.grpc.clone()).await.unwrap()
    }

    pub(super) async fn gateways(&self) -> GatewayServiceClient<Channel> {
        GatewayServiceClient::connect(self.running.grpc.clone()).await.unwrap()
    }

    pub(super) async fn suppressions(&self) -> MailSuppressionServiceClient<Channel> {
        MailSuppressionServiceClient::connect(self.running.grpc.clone()).await.unwrap()
    }

    pub(super) async fn replies(&self) -> ReplyServiceClient<Channel> {
        ReplyServiceClient::connect(self.running.grpc.clone()).await.unwrap()
    }

    pub(super) async fn notices_client(&self) -> NoticeServiceClient<Channel> {
        NoticeServiceClient::connect(self.running.grpc.clone()).await.unwrap()
    }

    /// A request with a key of this role.
    pub(super) async fn authorised<T>(&self, role: Role, message: T) -> Request<T> {
        let new = NewKey {
            actor: "test-actor".parse().unwrap(),
            name: "Test".to_owned(),
            roles: vec![role],
            organisation: None,
            country: None,
            expires_at: None,
        };
        let key = self.running.credentials.issue(new).await.unwrap();
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", key.secret.expose());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        request
    }

    pub(super) async fn import(&self, contacts: Vec<Contact>) -> Result<ImportContactsResponse, Status> {
        let request = self.authorised(Role::Administrator, ImportContactsRequest { contacts, only_new: false }).await;
        self.contacts().await.import_contacts(request).await.map(tonic::Response::into_inner)
    }

    /// A contact with all three channels, its webhook at the sink.
    pub(super) fn contact(&self, organisation: &str, number: u32, language: &str, channels: &[&str]) -> Contact {
        let hook = format!("http://{}/{organisation}/{number}", self.webhooks.address());
        contact_with_hook(organisation, number, language, channels, hook)
    }

    /// Says notices.requested for these contacts.
    pub(super) async fn request(&self, alert: &Alert, contacts: &[Contact]) {
        let now = self.clock.now();
        let recipients = contacts.iter().map(|contact| NoticeRecipient {
            contact_id: contact.contact_id.clone(),
            organisation_id: contact.organisation_id.clone(),
            acknowledge_token: format!("token-{}", contact.contact_id),
        });
        let said = NoticesRequested {
            batch_id: Uuid::now_v7().to_string(),
            alert_id: alert.id.to_string(),
            revision: alert.revision,
            short_code: alert.short_code.to_owned(),
            priority: alert.priority.to_owned(),
            tlp: alert.tlp.to_owned(),
            released_at: Some(timestamp(now)),
            deadline: Some(timestamp(now + chrono::TimeDelta::hours(alert.deadline_hours))),
            drill: alert.drill,
            source_language: "en".to_owned(),
            reviewed_languages: alert.languages.iter().map(|language| (*language).to_owned()).collect(),
            recipients: recipients.collect(),
            texts: Some(self.sealed_texts(alert)),
            coordinator: Some(Person { actor_id: "coordinator-1".to_owned(), name: "Coordinator One".to_owned() }),
            consent_expires_at: alert.consent_hours.map(|hours| timestamp(now + chrono::TimeDelta::hours(hours))),
        };
        self.dispatch.say(&NOTICES_REQUESTED, &said.batch_id.clone(), &said).await;
    }

    /// The texts, as dispatch would seal them; given at every TLP, so that a leak above GREEN would show.
    fn sealed_texts(&self, alert: &Alert) -> tocsin_proto::common::v1::Sealed {
        let texts = alert.languages.iter().map(|language| AlertText {
            language: (*language).to_owned(),
            headline: format!("canary-headline-{language}"),
            body: format!("canary-body-{language}"),
            translation: "reviewed".to_owned(),
        });
        let texts = AlertTexts { reference: "XA-2026-0001".to_owned(), texts: texts.collect() };
        let key = self.dispatch.heard.lock().unwrap().key.clone().unwrap();
        let associated = format!("texts:{}:{}", alert.id, alert.revision);
        seal::seal(&key, &associated, &texts.encode_to_vec()).unwrap().into()
    }

    pub(super) async fn withdraw(&self, alert: &Alert, organisation: &str, reason: &str) {
        let said = NoticesWithdrawn {
            alert_id: alert.id.to_string(),
            revision: alert.revision,
            organisation_id: organisation.to_owned(),
            reason: reason.to_owned(),
            at: Some(timestamp(self.clock.now())),
        };
        self.dispatch.say(&NOTICES_WITHDRAWN, &said.alert_id.clone(), &said).await;
    }

    pub(super) async fn page(&self, contact_ids: &[&str]) {
        let said = PageRequested {
            page_id: Uuid::now_v7().to_string(),
            contact_ids: contact_ids.iter().map(|id| (*id).to_owned()).collect(),
            level: 0,
            priority: "p1".to_owned(),
            answer_due_at: Some(timestamp(self.clock.now() + chrono::TimeDelta::minutes(30))),
            case_id: "01977d3a-5f00-7000-8000-000000000000".to_owned(),
        };
        self.triage.say(&PAGE_REQUESTED, &said.page_id.clone(), &said).await;
    }

    /// Waits until notification has taken everything that was said.
    pub(super) async fn settled(&self) {
        let settled = async || self.dispatch.owed().await == 0 && self.triage.owed().await == 0;
        wait_until("everything said is settled", PATIENCE, settled).await;
    }

    /// What dispatch knows, as `contact channel state` in order.
    pub(super) fn states(&self) -> Vec<String> {
        let mut states: Vec<String> = self
            .progress()
            .into_iter()
            .map(|notice| format!("{} {} {}", notice.contact_id, notice.channel, notice.state))
            .collect();
        states.sort();
        states
    }

    pub(super) fn progress(&self) -> Vec<NoticeProgress> {
        self.dispatch.heard.lock().unwrap().notices.values().cloned().collect()
    }

    /// Waits until dispatch knows exactly these states.
    pub(super) async fn until(&self, expected: &[&str]) {
        let mut expected: Vec<String> = expected.iter().map(|&state| state.to_owned()).collect();
        expected.sort();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.states() != expected {
            assert!(tokio::time::Instant::now() < deadline, "{:#?}\nexpected {expected:#?}", self.progress());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(super) fn contact_with_hook(
    organisation: &str,
    number: u32,
    language: &str,
    channels: &[&str],
    webhook: String,
) -> Contact {
    Contact {
        contact_id: if organisation.is_empty() {
            format!("staff-{number}")
        } else {
            format!("{organisation}-c{number}")
        },
        organisation_id: organisation.to_owned(),
        role: "duty".to_owned(),
        language: language.to_owned(),
        time_zone: "Etc/GMT+3".to_owned(),
        email: format!("canary-{number}@{}.example", if organisation.is_empty() { "staff" } else { organisation }),
        phone: format!("+4477009{number:05}"),
        webhook: if channels.contains(&"webhook") { webhook } else { String::new() },
        channels: channels.iter().map(|&channel| channel.to_owned()).collect(),
        quiet_hours: String::new(),
        urgent_overrides_quiet_hours: true,
        ..Contact::default()
    }
}

fn settings(database: &TestDatabase, folder: &Path, more: &str, smtp_port: u16, sms_port: u16) -> String {
    let (keys, sections) = if more.starts_with('[') { ("", more) } else { (more, "") };
    // Short enough for tests that wait for them; `# patient` leaves the defaults.
    let (webhook_times, mail_times) = if more.contains("# patient") {
        ("", "")
    } else {
        ("webhook.total_seconds = 3\n", "command_seconds = 2\ndata_seconds = 2\n")
    };
    // `only` in place of the gateways' name leaves the sink out.
    let sink = format!(
        "[[notification.sms.gateways]]\nname = 'kannel'\nkind = 'kannel'\nusername = 'tester'\npassword = 'secret'\n\
         url = 'http://127.0.0.1:{sms_port}/cgi-bin/sendsms'\n"
    );
    let sink = if sections.contains("[[only]]") { String::new() } else { sink };
    let sections = sections.replace("[[only]]", "[[notification.sms.gateways]]");
    format!(
        "data_folder = '{}'\n[database]\nurl = '{}'\nconnections_max = 8\n[limits]\ndrain_seconds_max = 5\n\
         [notification]\nwebhook.allow_loopback_http = true\n{webhook_times}{keys}\n[notification.email]\nhost = '127.0.0.1'\nport = {smtp_port}\ntls = 'none'\n\
         {mail_times}\
         {sink}{sections}\n",
        folder.display(),
        database.settings().url,
    )
}

async fn run(settings: &str, bus: Bus, clock: Clock) -> Running {
    let settings = Settings::from_text(settings).unwrap();
    let credentials = Credentials::open(&settings.database, clock.clone()).await.unwrap();
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let (grpc_address, http_address) = (address(&grpc), address(&http));
    let kept = credentials.clone();
    let parts = Parts { settings, clock, bus, credentials, grpc, http, peers: None };
    let app = Box::pin(App::build(parts)).await.unwrap();
    let office = app.office();
    let (handle, shutdown) = Shutdown::pair();
    let task = tokio::spawn(app.run(shutdown));
    Running { grpc: grpc_address, http: http_address, credentials: kept, office, handle, task }
}

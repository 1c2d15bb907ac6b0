//! intake, running on loopback with the stand-in for triage, and a client that speaks its verbs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tocsin_platform::bus::Bus;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::Settings;
use tocsin_platform::credentials::Credentials;
use tocsin_platform::lifecycle::{LifecycleError, Shutdown, ShutdownHandle};
use tocsin_platform::service::Parts;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::intake::v1::intake_service_client::IntakeServiceClient;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use super::triage::Triage;
use crate::App;

/// What a client got.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    /// The problem's word for programs, or nothing.
    pub(super) fn reason(&self) -> &str {
        self.body["reason"].as_str().unwrap_or_default()
    }
}

/// A running intake.
pub(super) struct Harness {
    database: TestDatabase,
    url: String,
    folder: TempDir,
    settings: String,
    triage: Triage,
    running: Running,
    bus: Bus,
    client: reqwest::Client,
}

/// One process.
pub(super) struct Running {
    http: String,
    grpc: String,
    handle: ShutdownHandle,
    task: JoinHandle<Result<(), LifecycleError>>,
}

impl Harness {
    /// Starts it, and waits until triage's key has arrived.
    pub(super) async fn start(database: TestDatabase) -> Self {
        Self::start_with(database, "[intake]\nwrong_receipt_delay_ms = 1").await
    }

    /// The same with settings of its own.
    pub(super) async fn start_with(database: TestDatabase, settings: &str) -> Self {
        let url = database.settings().url.clone();
        Self::start_at(database, url, settings).await
    }

    /// The same, reaching the database by another address.
    pub(super) async fn start_at(database: TestDatabase, url: String, settings: &str) -> Self {
        let harness = Self::build(database, url, settings).await;
        harness.triage.say_key().await;
        let arrived = async || harness.triage.owed().await == 0;
        wait_until("the key has arrived", Duration::from_secs(20), arrived).await;
        harness
    }

    /// The same, while triage has not said its key.
    pub(super) async fn start_without_key(database: TestDatabase, settings: &str) -> Self {
        let url = database.settings().url.clone();
        Self::build(database, url, settings).await
    }

    async fn build(database: TestDatabase, url: String, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (bus, clock) = (Bus::in_process(), Clock::system());
        let triage = Triage::start(folder.path(), &bus, &clock).await;
        let running = Box::pin(run(&url, folder.path(), settings, bus.clone(), clock)).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { database, url, folder, settings: settings.to_owned(), triage, running, bus, client }
    }

    /// Ends the tasks where they stand, and starts intake and triage again on the same files and a new bus.
    pub(super) async fn killed_and_started_again(self) -> Self {
        let Self { database, url, folder, settings, triage, running, client, .. } = self;
        running.task.abort();
        let _ = running.task.await;
        let heard = Arc::clone(&triage.heard);
        drop(triage);
        let (bus, clock) = (Bus::in_process(), Clock::system());
        let triage = Triage::start_again(folder.path(), &bus, &clock, heard).await;
        let running = Box::pin(run(&url, folder.path(), &settings, bus.clone(), clock)).await;
        Self { database, url, folder, settings, triage, running, bus, client }
    }

    /// Starts another process of intake over the same database. It ends when what is returned is dropped.
    pub(super) async fn another(&self) -> Running {
        Box::pin(run(&self.url, self.folder.path(), &self.settings, self.bus.clone(), Clock::system())).await
    }

    /// `POST /v1/reports` at another process.
    pub(super) async fn submit_at(&self, process: &Running, key: &str, report: &Value) -> Answer {
        let request =
            self.client.post(format!("{}/v1/reports", process.http)).header("content-type", "application/json");
        send(request.header("idempotency-key", key).body(report.to_string())).await
    }

    /// Drains it; a task that failed fails the test.
    pub(super) async fn stop(self) {
        self.running.handle.drain();
        let ended = tokio::time::timeout(Duration::from_secs(30), self.running.task).await;
        ended.expect("intake drains in time").unwrap().unwrap();
    }

    pub(super) fn triage(&self) -> &Triage {
        &self.triage
    }

    /// Where the SQLite files are.
    pub(super) fn folder(&self) -> &Path {
        self.database.folder().unwrap()
    }

    pub(super) fn heard_reports(&self) -> usize {
        self.triage.heard.lock().unwrap().reports.len()
    }

    pub(super) fn has_heard(&self, report_id: &str) -> bool {
        self.triage.heard.lock().unwrap().reports.iter().any(|(said, _)| said.report_id == report_id)
    }

    pub(super) fn heard_messages(&self) -> Vec<String> {
        self.triage.heard.lock().unwrap().messages.iter().map(|(_, text)| text.clone()).collect()
    }

    /// Where the JSON door listens: host and port.
    pub(super) fn http_address(&self) -> &str {
        self.running.http.trim_start_matches("http://")
    }

    /// A client of the gRPC door.
    pub(super) async fn grpc(&self) -> IntakeServiceClient<Channel> {
        IntakeServiceClient::connect(self.running.grpc.clone()).await.unwrap()
    }

    /// `POST /v1/reports`.
    pub(super) async fn submit(&self, key: &str, report: &Value) -> Answer {
        self.post("/v1/reports", &[("idempotency-key", key)], report.to_string()).await
    }

    /// `POST /v1/reports/mine/messages`.
    pub(super) async fn add_message(&self, receipt: &str, key: &str, text: &str) -> Answer {
        let bearer = format!("Bearer {receipt}");
        let headers = [("idempotency-key", key), ("authorization", bearer.as_str())];
        self.post("/v1/reports/mine/messages", &headers, json!({ "text": text }).to_string()).await
    }

    /// `GET /v1/reports/mine`.
    pub(super) async fn own_report(&self, receipt: &str) -> Answer {
        self.get("/v1/reports/mine", &[("authorization", &format!("Bearer {receipt}"))]).await
    }

    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.client.get(format!("{}{path}", self.running.http));
        send(with_headers(request, headers)).await
    }

    /// Posts JSON, unless a header says that it is something else.
    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answer {
        let mut request = self.client.post(format!("{}{path}", self.running.http)).body(body);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        send(with_headers(request, headers)).await
    }
}

fn with_headers(request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> reqwest::RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    Answer { status, body }
}

async fn run(url: &str, folder: &Path, settings: &str, bus: Bus, clock: Clock) -> Running {
    let text = format!(
        "data_folder = '{}'\n[database]\nurl = '{}'\nconnections_max = 8\n[limits]\ndrain_seconds_max = 5\n{settings}\n",
        folder.display(),
        url
    );
    let settings = Settings::from_text(&text).unwrap();
    let credentials = Credentials::open(&settings.database, clock.clone()).await.unwrap();
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let (grpc_address, http_address) = (address(&grpc), address(&http));
    let app = App::build(Parts { settings, clock, bus, credentials, grpc, http, peers: None }).await.unwrap();
    let (handle, shutdown) = Shutdown::pair();
    let task = tokio::spawn(app.run(shutdown));
    Running { http: http_address, grpc: grpc_address, handle, task }
}

/// The `report` object of one of the scenario files.
pub(super) fn scenario(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fixtures/scenarios/{name}.json"));
    let mut scenario: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    scenario["report"].take()
}

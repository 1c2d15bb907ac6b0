//! Starting before the database does, and what is no reason to wait.

use std::net::SocketAddr;
use std::time::Duration;

use tocsin_platform::failure::received;
use tocsin_platform::testing::{PostgresServer, wait_until};
use tocsin_proto::intake::v1::SubmitReportRequest;
use tocsin_proto::intake::v1::intake_service_client::IntakeServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::*;

/// Long enough for a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// The settings for this database and these doors.
fn settings(folder: &std::path::Path, database: &str, doors: &Doors) -> Settings {
    let text = format!(
        "data_folder = {:?}\n[database]\nurl = {database:?}\nconnections_max = 5\n{}",
        folder.display().to_string(),
        doors.settings_text().unwrap()
    );
    Settings::from_text(&text).unwrap()
}

/// The whole answer; empty while nobody answers.
async fn ask(address: SocketAddr, path: &str) -> String {
    let answer = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    answer.await.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_waits_for_its_database_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = PostgresServer::prepare().await;
    let doors = Doors::on_free_ports().await.unwrap();
    let addresses = doors.addresses().unwrap();
    let intake = addresses[0];
    let settings = settings(folder.path(), &server.url("postgres"), &doors);
    let starting = tokio::spawn(Running::start(settings, Clock::system(), doors, Some(|_| {})));

    let waits = async || ask(intake.http, "/readyz").await.contains(r#"{"name":"database","ready":false}"#);
    wait_until("the door says what is missing", LIMIT, waits).await;
    assert!(ask(intake.http, "/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(ask(intake.http, "/livez").await.starts_with("HTTP/1.1 200"));
    let refused = ask(intake.http, "/v1/reports").await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 2"), "{refused}");
    assert!(refused.contains("application/problem+json") && refused.contains("WAITING"), "{refused}");
    let channel = grpc::connect_with(&format!("http://{}", intake.grpc), None).unwrap();
    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(health.into_inner().status(), ServingStatus::NotServing);
    let status = IntakeServiceClient::new(channel).submit_report(SubmitReportRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), received(&status).reason.as_str()), (Code::Unavailable, "WAITING"));
    assert!(!starting.is_finished());

    server.start_again();
    let running = tokio::time::timeout(LIMIT, starting).await.unwrap().unwrap().unwrap();
    for at in addresses {
        let ready = async || ask(at.http, "/readyz").await.starts_with("HTTP/1.1 200");
        wait_until("every service is ready, without a restart", LIMIT, ready).await;
        let channel = grpc::connect_with(&format!("http://{}", at.grpc), None).unwrap();
        let health = HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(health.into_inner().status(), ServingStatus::Serving);
    }
    running.stop().await.unwrap();
    assert!(TcpStream::connect(intake.http).await.is_err(), "nobody holds the sockets any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let server = PostgresServer::shared().await;
    // The server answers, whoever asks.
    server.create_database().await;
    let check = async |database: String| {
        let doors = Doors::on_free_ports().await.unwrap();
        let settings = settings(folder.path(), &database, &doors);
        let started = Running::start(settings, Clock::system(), doors, None);
        let Ok(ended) = tokio::time::timeout(LIMIT, started).await else { panic!("it waits") };
        assert!(matches!(ended, Err(StartError::Database(_))));
    };
    check(server.url("postgres").replace("//tocsin@", "//stranger@")).await;
    check(server.url("nowhere")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_waits_can_be_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = PostgresServer::prepare().await;
    let doors = Doors::on_free_ports().await.unwrap();
    let intake = doors.addresses().unwrap()[0];
    let settings = settings(folder.path(), &server.url("postgres"), &doors);
    let starting = Running::start(settings, Clock::system(), doors, None);
    let waits = async || ask(intake.http, "/livez").await.starts_with("HTTP/1.1 200");
    tokio::select! {
        _ = starting => panic!("it has no database"),
        () = wait_until("the door answers", LIMIT, waits) => {}
    }
    let shut = async || TcpStream::connect(intake.http).await.is_err();
    wait_until("the doors are shut", LIMIT, shut).await;
}

#[tokio::test]
async fn whom_triage_cannot_trust_is_told_before_the_wait() {
    let folder = tempfile::tempdir().unwrap();
    let doors = Doors::on_free_ports().await.unwrap();
    let own = rcgen::generate_simple_self_signed(["triage".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("triage.pem"), folder.path().join("triage.key"));
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let text = format!(
        "data_folder = {:?}\n[database]\nurl = \"postgres://nobody@127.0.0.1:1/nowhere\"\n[services.triage.tls]\n\
         certificate = {certificate:?}\nkey = {key:?}\n[services.dispatch]\nurl = \"https://dispatch.example:7402\"\n",
        folder.path().display().to_string(),
    );
    let settings = Settings::from_text(&text).unwrap();
    let started = Running::start(settings, Clock::system(), doors, None);
    let Ok(ended) = tokio::time::timeout(LIMIT, started).await else { panic!("it waits for the database") };
    let Err(StartError::Config(error)) = ended else { panic!("it started") };
    assert!(error.to_string().contains("services.triage.tls.authority"), "{error}");
}

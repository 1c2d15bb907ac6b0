//! Calls between services: who is let in, who is believed, and renewals without a restart.

use tocsin_proto::catalogue::Service;
use tokio::net::TcpStream;
use tonic::transport::Channel;

use super::*;
use crate::testing::wait_until;
use crate::tls::PeerName;
use crate::tls::tests::{Authority, Files};

/// Longer than the files take to be looked at.
const LIMIT: Duration = Duration::from_secs(20);
const TRIAGE: &[&str] = &["triage.tocsin.internal"];
const DISPATCH: &[&str] = &["dispatch.tocsin.internal", "localhost"];

/// One method that says who calls.
fn who_calls() -> Routes {
    let who = async |request: axum::extract::Request| {
        let peer = request.extensions().get::<PeerName>().and_then(|peer| peer.service());
        let failure = Failure::refused("PEER", format!("{peer:?}"));
        Ok::<_, Infallible>(tonic::Status::from(failure).into_http::<axum::body::Body>().into_response())
    };
    Routes::from(axum::Router::new().route("/tocsin.test/Who", axum::routing::post(who)))
}

impl Door {
    /// As dispatch, wherever it is found, seen by a service with these files.
    fn dispatch(&self, caller: &Files) -> Channel {
        let endpoint = format!("https://localhost:{}", self.address.port());
        connect(&endpoint, Service::Dispatch, Some(&caller.settings())).unwrap()
    }

    async fn stop(self) {
        self.handle.stop();
        self.served.await.unwrap().unwrap();
    }
}

async fn is_answered(channel: Channel) -> bool {
    let ask = HealthCheckRequest { service: "intake".to_owned() };
    HealthClient::new(channel).check(ask).await.is_ok()
}

#[tokio::test]
async fn services_of_one_authority_know_each_other_by_name() {
    let authority = Authority::new();
    let dispatch = Files::of(&authority, DISPATCH);
    let door = open(who_calls(), Some(dispatch.settings())).await;
    let triage = Files::of(&authority, TRIAGE);
    let answer = call(door.dispatch(&triage), "/tocsin.test/Who").await;
    assert_eq!(answer.message(), "Some(Triage)");
    let person = Files::of(&authority, &["client.tocsin.internal"]);
    assert_eq!(call(door.dispatch(&person), "/tocsin.test/Who").await.message(), "None");
    door.stop().await;
}

#[tokio::test]
async fn nobody_stands_in_for_another() {
    let authority = Authority::new();
    let triage = Files::of(&authority, TRIAGE);
    let check = async |shown: Files, caller: &Files, expected: bool, what: &str| {
        let door = open(routes(), Some(shown.settings())).await;
        assert_eq!(is_answered(door.dispatch(caller)).await, expected, "{what}");
        door.stop().await;
    };
    let dispatch = || Files::of(&authority, DISPATCH);
    check(dispatch(), &triage, true, "all is right").await;
    check(Files::of(&authority, &["dispatch.tocsin.internal"]), &triage, true, "the host name does not matter").await;
    check(Files::of(&authority, &["intake.tocsin.internal", "localhost"]), &triage, false, "another service").await;
    check(Files::of(&authority, &["localhost", "127.0.0.1"]), &triage, false, "no service").await;
    check(Files::of(&Authority::new(), DISPATCH), &triage, false, "a door of another authority").await;
    check(Files::expired(&authority, DISPATCH), &triage, false, "a door whose certificate has expired").await;
    check(dispatch(), &Files::of(&Authority::new(), TRIAGE), false, "a caller of another authority").await;
    check(dispatch(), &Files::expired(&authority, TRIAGE), false, "a caller whose certificate has expired").await;
}

#[tokio::test]
async fn without_a_certificate_nobody_is_let_in() {
    let files = Files::new();
    let door = open(routes(), Some(files.settings())).await;
    let endpoint = format!("https://localhost:{}", door.address.port());
    let authority = tonic::transport::Certificate::from_pem(std::fs::read(files.path("authority.pem")).unwrap());
    let trusting = tonic::transport::ClientTlsConfig::new().ca_certificate(authority);
    let channel = connect_with(&endpoint, Some(trusting.clone())).unwrap();
    assert!(!is_answered(channel).await);
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| std::fs::read(files.path(name)).unwrap());
    let own = tonic::transport::Identity::from_pem(certificate, key);
    let channel = connect_with(&endpoint, Some(trusting.identity(own))).unwrap();
    assert!(is_answered(channel).await, "with one, the host name is enough for who is no service");
    door.stop().await;
}

#[tokio::test]
async fn a_renewal_is_taken_up_while_a_stream_stays_open() {
    let (old, new) = (Authority::new(), Authority::new());
    let (dispatch, triage) = (Files::of(&old, DISPATCH), Files::of(&old, TRIAGE));
    let door = open(routes(), Some(dispatch.settings())).await;
    let channel = door.dispatch(&triage);
    let ask = HealthCheckRequest { service: "intake".to_owned() };
    let mut watched = HealthClient::new(channel.clone()).watch(ask).await.unwrap().into_inner();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::Serving);

    // A service that had started before, and connects only after its own files were renewed too.
    let later = door.dispatch(&triage);
    dispatch.write(&new, DISPATCH, 2100);
    triage.write(&new, TRIAGE, 2100);
    let shown = async || is_answered(door.dispatch(&triage)).await;
    wait_until("the door shows its new certificate", LIMIT, shown).await;
    wait_until("the caller does too", LIMIT, async || is_answered(later.clone()).await).await;
    let stranger = Files::of(&old, TRIAGE);
    assert!(!is_answered(door.dispatch(&stranger)).await, "the old authority is trusted no more");

    // What cannot be used changes nothing.
    std::fs::write(dispatch.path("certificate.pem"), "half of a file").unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(is_answered(door.dispatch(&triage)).await, "the last good certificate stays");
    assert!(is_answered(channel).await, "the connection of before was never cut");
    door.handle.drain();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    door.stop().await;
}

#[tokio::test]
async fn a_silent_client_holds_up_nobody() {
    let authority = Authority::new();
    let dispatch = Files::of(&authority, DISPATCH);
    let door = open(routes(), Some(dispatch.settings())).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(door.address).await.unwrap());
    }
    let triage = Files::of(&authority, TRIAGE);
    let asked = is_answered(door.dispatch(&triage));
    assert!(tokio::time::timeout(Duration::from_secs(5), asked).await.unwrap());
    door.stop().await;
}

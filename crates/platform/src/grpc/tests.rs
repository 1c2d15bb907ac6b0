//! The gRPC door over a real socket: health, reflection, errors, panics, the drain, and TLS.

mod secure;

use std::convert::Infallible;
use std::time::Duration;

use axum::response::IntoResponse;
use tocsin_proto::catalogue::Service;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

use super::*;
use crate::config::TlsSettings;
use crate::failure::{Failure, received};
use crate::lifecycle::{Shutdown, ShutdownHandle};

struct Door {
    address: SocketAddr,
    handle: ShutdownHandle,
    served: tokio::task::JoinHandle<Result<(), GrpcError>>,
}

async fn open(routes: Routes, tls: Option<TlsSettings>) -> Door {
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (handle, shutdown) = Shutdown::pair();
    let served = tokio::spawn(async move { server(listener, routes, &["intake"], tls.as_ref(), shutdown).await });
    Door { address, handle, served }
}

/// Routes with two methods by hand: one refuses, one panics.
fn routes() -> Routes {
    let refuse = || async {
        let failure = Failure::refused("NO_CONSENT", "nobody has consented").retry_after(Duration::from_secs(2));
        Ok::<_, Infallible>(tonic::Status::from(failure).into_http::<axum::body::Body>().into_response())
    };
    let router = axum::Router::new()
        .route("/tocsin.test/Refuse", axum::routing::post(refuse))
        .route("/tocsin.test/Panic", axum::routing::post(async || -> () { panic!("a canary") }));
    Routes::from(router)
}

async fn call(channel: tonic::transport::Channel, path: &'static str) -> tonic::Status {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckRequest>::default();
    let request = outgoing(HealthCheckRequest::default());
    client.unary(request, path.parse().unwrap(), codec).await.unwrap_err()
}

#[tokio::test]
async fn errors_and_panics_reach_the_caller_with_details() {
    let door = open(routes(), None).await;
    let channel = connect_with(&format!("http://{}", door.address), None).unwrap();
    let refused = received(&call(channel.clone(), "/tocsin.test/Refuse").await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "NO_CONSENT"));
    assert_eq!(refused.retry_after, Some(Duration::from_secs(2)));
    assert!(refused.request_id.is_some());

    let panicked = call(channel.clone(), "/tocsin.test/Panic").await;
    assert_eq!(received(&panicked).reason, "PANICKED");
    assert!(!panicked.message().contains("canary"));
    assert_eq!(call(channel, "/tocsin.test/Nothing").await.code(), Code::Unimplemented);

    let metrics = telemetry_lines();
    assert!(metrics.contains("method=\"tocsin.test/Refuse\""), "{metrics}");
    assert!(!metrics.contains("tocsin.test/Nothing"), "{metrics}");
    door.handle.drain();
    door.served.await.unwrap().unwrap();
}

fn telemetry_lines() -> String {
    crate::telemetry::render()
        .lines()
        .filter(|line| line.starts_with("rpc_server_call_duration_seconds_count"))
        .collect()
}

#[tokio::test]
async fn health_turns_before_the_door_closes() {
    let door = open(routes(), None).await;
    let channel = connect_with(&format!("http://{}", door.address), None).unwrap();
    let mut health = HealthClient::new(channel.clone());
    let ask = || HealthCheckRequest { service: "intake".to_owned() };
    assert_eq!(health.check(ask()).await.unwrap().into_inner().status(), ServingStatus::Serving);
    let mut watched = health.watch(ask()).await.unwrap().into_inner();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
    door.handle.drain();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(!door.served.is_finished(), "the watch is still in flight");
    door.handle.stop();
    door.served.await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(door.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn reflection_lists_our_services() {
    let door = open(routes(), None).await;
    let channel = connect_with(&format!("http://{}", door.address), None).unwrap();
    let mut reflection = ServerReflectionClient::new(channel);
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = reflection.server_reflection_info(tokio_stream::once(ask)).await.unwrap().into_inner();
    let answer = format!("{:?}", answers.next().await.unwrap().unwrap());
    assert!(answer.contains("tocsin.intake.v1") && answer.contains("grpc.health.v1.Health"), "{answer}");
    assert!(!answer.contains("tocsin.triage.v1"), "{answer}");
    door.handle.stop();
    door.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn off_loopback_the_door_stays_shut_without_tls() {
    let listener = bind(([0, 0, 0, 0], 0).into()).await.unwrap();
    let (_handle, shutdown) = Shutdown::pair();
    let error = server(listener, routes(), &[], None, shutdown).await.unwrap_err();
    assert!(error.to_string().contains("`services.<name>.tls`"), "{error}");
}

#[tokio::test]
async fn a_peers_address_must_be_one() {
    for endpoint in ["", "triage", "ftp://triage:1", "not a url"] {
        let channel = connect(endpoint, Service::Triage, None);
        assert!(matches!(channel, Err(GrpcError::Endpoint { .. })), "{endpoint}");
    }
    connect("http://127.0.0.1:1", Service::Triage, None).unwrap();
}

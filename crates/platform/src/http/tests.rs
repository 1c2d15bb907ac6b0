//! The HTTP door over a real socket: problems, limits, time, panics, readiness, the drain, and TLS.

use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Request, StatusCode};
use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::config::{LimitSettings, TlsSettings};
use crate::lifecycle::{Shutdown, ShutdownHandle};

struct Door {
    address: SocketAddr,
    handle: ShutdownHandle,
    served: tokio::task::JoinHandle<Result<(), HttpError>>,
}

async fn open(tls: Option<TlsSettings>) -> Door {
    let router = Router::new()
        .route("/echo", post(async |body: axum::body::Bytes| body))
        .route("/slow", get(async || tokio::time::sleep(Duration::from_millis(1300)).await))
        .route(
            "/brief",
            get(async || {
                tokio::time::sleep(Duration::from_millis(300)).await;
                "done"
            }),
        )
        .route("/panic", get(async || -> () { panic!("a canary") }))
        .merge(operations_routes(vec![
            Check::new("database", async || true),
            Check::new("bus", std::future::pending::<bool>),
        ]));
    let limits = LimitSettings { http_body_bytes_max: 1024, request_seconds_max: 1, ..LimitSettings::default() };
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (handle, shutdown) = Shutdown::pair();
    let served = tokio::spawn(async move { serve_with(listener, router, tls.as_ref(), limits, shutdown).await });
    Door { address, handle, served }
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> (StatusCode, String) {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

impl Door {
    async fn ask(&self, method: Method, path: &str, body: Body) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path).header("host", "localhost").body(body).unwrap();
        ask(TcpStream::connect(self.address).await.unwrap(), request).await
    }

    async fn reason(&self, method: Method, path: &str, body: Body) -> (u16, String) {
        let (status, body) = self.ask(method, path, body).await;
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["status"], status.as_u16());
        assert!(!body.contains("canary"));
        (status.as_u16(), problem["reason"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn every_error_is_a_problem() {
    let door = open(None).await;
    assert_eq!(door.ask(Method::POST, "/echo", Body::from("hello")).await, (StatusCode::OK, "hello".to_owned()));
    let check = async |method, path, body: Body, status, reason: &str| {
        assert_eq!(door.reason(method, path, body).await, (status, reason.to_owned()), "{path}");
    };
    check(Method::GET, "/nothing", Body::empty(), 404, "NO_SUCH_PATH").await;
    check(Method::GET, "/echo", Body::empty(), 405, "METHOD_NOT_ALLOWED").await;
    check(Method::POST, "/echo", Body::from(vec![b'x'; 1025]), 413, "BODY_TOO_LARGE").await;
    let chunks = tokio_stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 100])));
    check(Method::POST, "/echo", Body::from_stream(chunks), 413, "BODY_TOO_LARGE").await;
    check(Method::GET, "/panic", Body::empty(), 500, "PANICKED").await;
    check(Method::GET, "/slow", Body::empty(), 504, "REQUEST_TIMED_OUT").await;
    door.handle.stop();
    door.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn garbage_and_idle_clients_do_not_stop_the_door() {
    let door = open(None).await;
    let mut garbage = TcpStream::connect(door.address).await.unwrap();
    garbage.write_all(b"\x16\x03\x01\x00\xff\xfe\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = garbage.read_to_end(&mut answer).await;
    let _idle = TcpStream::connect(door.address).await.unwrap();
    assert_eq!(door.ask(Method::GET, "/livez", Body::empty()).await.0, StatusCode::OK);
    door.handle.stop();
    door.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn liveness_asks_nobody_and_readiness_everybody() {
    let door = open(None).await;
    assert_eq!(door.ask(Method::GET, "/livez", Body::empty()).await, (StatusCode::OK, "alive\n".to_owned()));
    let routes = operations_routes(vec![Check::new("database", async || true), Check::new("bus", async || false)]);
    let ready = async |routes: Router| {
        let request = Request::builder().uri("/readyz").body(Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(routes, request).await.unwrap();
        (
            response.status(),
            String::from_utf8_lossy(&response.into_body().collect().await.unwrap().to_bytes()).into_owned(),
        )
    };
    let expect = r#"{"ready":false,"checks":[{"name":"database","ready":true},{"name":"bus","ready":false}]}"#;
    assert_eq!(ready(routes).await, (StatusCode::SERVICE_UNAVAILABLE, expect.to_owned()));
    assert_eq!(ready(operations_routes(Vec::new())).await.0, StatusCode::OK);
    let (status, metrics) = door.ask(Method::GET, "/metrics", Body::empty()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(metrics.contains("tocsin_reports_accepted_total"));
    door.handle.stop();
    door.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn requests_in_flight_finish_and_new_ones_find_no_door() {
    let door = Arc::new(open(None).await);
    let asking = Arc::clone(&door);
    let request = tokio::spawn(async move { asking.ask(Method::GET, "/brief", Body::empty()).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    door.handle.drain();
    assert_eq!(request.await.unwrap(), (StatusCode::OK, "done".to_owned()));
    let door = Arc::into_inner(door).unwrap();
    door.served.await.unwrap().unwrap();
    assert!(TcpStream::connect(door.address).await.is_err());
}

#[tokio::test]
async fn off_loopback_the_door_stays_shut_without_tls() {
    let listener = bind(([0, 0, 0, 0], 0).into()).await.unwrap();
    let (_handle, shutdown) = Shutdown::pair();
    let error = serve(listener, Router::new(), None, shutdown).await.unwrap_err();
    assert!(matches!(error, HttpError::TlsRequired { .. }), "{error}");
}

/// Whether the door is alive for a client that trusts these files' authority.
async fn is_alive(door: &Door, trusted: &TlsSettings) -> bool {
    let mut roots = rustls::RootCertStore::empty();
    let authority = trusted.authority.as_ref().unwrap();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(door.address).await.unwrap();
    let Ok(stream) = connector.connect("localhost".try_into().unwrap(), stream).await else { return false };
    let request = Request::builder().uri("/livez").header("host", "localhost").body(Body::empty()).unwrap();
    ask(stream, request).await.0 == StatusCode::OK
}

#[tokio::test]
async fn tls_serves_the_same_routes_and_takes_up_a_renewal() {
    let files = crate::tls::tests::Files::new();
    let door = open(Some(files.settings())).await;
    assert!(is_alive(&door, &files.settings()).await);
    files.write(&crate::tls::tests::Authority::new(), &["localhost"], 2100);
    let limit = Duration::from_secs(20);
    let renewed = async || is_alive(&door, &files.settings()).await;
    crate::testing::wait_until("the new certificate is shown", limit, renewed).await;
    door.handle.stop();
    door.served.await.unwrap().unwrap();
}

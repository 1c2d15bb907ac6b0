//! Serving: connections with or without TLS, HTTP/1.1 and HTTP/2, and a drain that lets requests finish.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::{HttpError, rules};
use crate::config::{LimitSettings, TlsSettings};
use crate::lifecycle::Shutdown;
use crate::{sockets, tls};

/// How long a client may take to send the head of a request.
const HEADER_READ_TIME_MAX: Duration = Duration::from_secs(10);
/// Connections at once; more wait in the kernel's queue, none is refused.
const CONNECTIONS_MAX: usize = 8192;
/// How often an idle HTTP/2 connection is asked whether it lives, and how long it may take to say so.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// Takes the address. Sockets are bound before anything else starts, so that a taken port is the first error.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, HttpError> {
    TcpListener::bind(address).await.map_err(|source| HttpError::Listen { address, source })
}

/// Serves a router under the default limits until the drain.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<&TlsSettings>,
    shutdown: Shutdown,
) -> Result<(), HttpError> {
    serve_with(listener, router, tls, LimitSettings::default(), shutdown).await
}

/// Serves a router under the given limits until the drain; then no connection is accepted any more, and requests in
/// flight may finish until the second stage. Event streams must be ended by their services.
pub async fn serve_with(
    listener: TcpListener,
    router: Router,
    tls: Option<&TlsSettings>,
    limits: LimitSettings,
    shutdown: Shutdown,
) -> Result<(), HttpError> {
    let address = listener
        .local_addr()
        .map_err(|source| HttpError::Listen { address: SocketAddr::from(([0, 0, 0, 0], 0)), source })?;
    if tls.is_none() && !address.ip().is_loopback() {
        return Err(HttpError::TlsRequired { address });
    }
    let tls = tls.map(tls::http_server).transpose()?;
    let router = rules::with_house_rules(router, limits);
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let (stream, peer) = tokio::select! {
            accepted = sockets::accept(&listener) => accepted,
            () = shutdown.draining() => break,
        };
        // The semaphore is never closed, so this only waits.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        // The certificate in force now.
        let acceptor = tls.as_ref().map(|tls| TlsAcceptor::from(tls.current()));
        let (router, watcher) = (router.clone(), graceful.watcher());
        let stopping = shutdown.clone();
        tokio::spawn(async move {
            let _slot = slot;
            tokio::select! {
                () = connection(stream, peer, acceptor, router, watcher) => {}
                () = stopping.stopped() => {}
            }
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = shutdown.stopped() => {}
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    watcher: Watcher,
) {
    let Some(acceptor) = acceptor else { return requests(stream, peer, router, watcher).await };
    if let Some(stream) = sockets::shake_hands(acceptor, stream).await {
        requests(stream, peer, router, watcher).await;
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
) {
    // For doors that take calls from listed addresses only; it is compared, and never written anywhere.
    let router = router.map_request(move |mut request: Request<_>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIME_MAX);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(KEEPALIVE.0).keep_alive_timeout(KEEPALIVE.1);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).into_owned();
    // A connection that breaks is the client's affair; requests are logged where they are decided.
    let _ = watcher.watch(serving).await;
}

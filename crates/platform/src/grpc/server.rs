//! Serving: socket first, then the routes, then the drain in two stages.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use super::incoming::Incoming;
use super::{GrpcError, calls, reflection};
use crate::config::TlsSettings;
use crate::lifecycle::Shutdown;
use crate::tls;

/// How often an idle connection is asked whether it lives.
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long it may take to say so.
pub(super) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Calls and streams at once on one connection; a console may hold one stream for each organisation.
const CONCURRENT_STREAMS_MAX: u32 = 1024;

/// Takes the address. Sockets are bound before anything else starts, so that a taken port is the first error.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, GrpcError> {
    TcpListener::bind(address).await.map_err(|source| GrpcError::Listen { address, source })
}

/// Serves `routes` until the drain, with the health and reflection services added.
///
/// `health` names the services whose health is told (the whole server is told under the empty name). At the drain
/// health turns `NOT_SERVING`, then no connection is accepted any more, and calls in flight may finish until the second
/// stage. Streams must be ended by their services, which watch [`Shutdown::draining`].
pub async fn server(
    listener: TcpListener,
    routes: Routes,
    health: &[&str],
    tls: Option<&TlsSettings>,
    shutdown: Shutdown,
) -> Result<(), GrpcError> {
    serve(listener, routes, (health, ServingStatus::Serving), tls, shutdown).await
}

/// The same for a service that is not there yet: health says `NOT_SERVING` from the start.
pub(crate) async fn server_that_waits(
    listener: TcpListener,
    routes: Routes,
    health: &[&str],
    tls: Option<&TlsSettings>,
    shutdown: Shutdown,
) -> Result<(), GrpcError> {
    serve(listener, routes, (health, ServingStatus::NotServing), tls, shutdown).await
}

async fn serve(
    listener: TcpListener,
    routes: Routes,
    (health, status): (&[&str], ServingStatus),
    tls: Option<&TlsSettings>,
    shutdown: Shutdown,
) -> Result<(), GrpcError> {
    let address = listener
        .local_addr()
        .map_err(|source| GrpcError::Listen { address: SocketAddr::from(([0, 0, 0, 0], 0)), source })?;
    if tls.is_none() && !address.ip().is_loopback() {
        return Err(GrpcError::TlsRequired { address });
    }
    let mut builder = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(CONCURRENT_STREAMS_MAX);
    let incoming = Incoming::new(listener, tls.map(tls::grpc_server).transpose()?);
    let (reporter, health_service) = tonic_health::server::health_reporter();
    for name in health.iter().copied().chain([""]) {
        reporter.set_service_status(name, status).await;
    }
    let routes = calls::with_house_rules(routes).add_service(health_service);
    let routes = reflection::add(routes, health)?;
    let names: Vec<String> = health.iter().map(|name| (*name).to_owned()).collect();
    let draining = shutdown.clone();
    let drained = async move {
        draining.draining().await;
        for name in names.iter().map(String::as_str).chain([""]) {
            reporter.set_service_status(name, ServingStatus::NotServing).await;
        }
    };
    let serving = builder.add_routes(routes).serve_with_incoming_shutdown(incoming.into_stream(), drained);
    tokio::select! {
        served = serving => served.map_err(GrpcError::Serve),
        () = shutdown.stopped() => Ok(()),
    }
}

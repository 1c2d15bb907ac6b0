//! Calling a peer: a channel that connects when it is first used and reconnects by itself.

use std::time::Duration;

use tonic::Request;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::GrpcError;
use super::server::{KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT};
use crate::config::TlsSettings;
use crate::{telemetry, tls};

/// How long a connection may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a call may take until it answers or its stream begins.
const CALL_TIME_MAX: Duration = Duration::from_secs(30);

/// A channel to a peer, as `https://triage.internal:7402`. `tls` are our own files: the peer sees our certificate and
/// must show one of our authority. Nothing is connected yet, so a peer may start later.
pub async fn connect(endpoint: &str, tls: Option<&TlsSettings>) -> Result<Channel, GrpcError> {
    let config = match tls.cloned() {
        Some(settings) => {
            // Reading files blocks, a little.
            let read = tokio::task::spawn_blocking(move || tls::grpc_client(&settings)).await;
            Some(read.map_err(|_| GrpcError::Endpoint { endpoint: endpoint.to_owned() })??)
        }
        None => None,
    };
    connect_with(endpoint, config)
}

/// The same with a TLS configuration at hand, for the command line.
pub fn connect_with(endpoint: &str, tls: Option<ClientTlsConfig>) -> Result<Channel, GrpcError> {
    let invalid = || GrpcError::Endpoint { endpoint: endpoint.to_owned() };
    let mut channel = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|_| invalid())?
        .connect_timeout(CONNECT_TIME_MAX)
        .timeout(CALL_TIME_MAX)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    match channel.uri().scheme_str() {
        Some("http") => {}
        Some("https") => {
            channel = channel.tls_config(tls.unwrap_or_default()).map_err(GrpcError::Serve)?;
        }
        _ => return Err(invalid()),
    }
    Ok(channel.connect_lazy())
}

/// A request that carries the current trace to the peer.
pub fn outgoing<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(value) = telemetry::current_traceparent().and_then(|text| text.parse().ok()) {
        request.metadata_mut().insert("traceparent", value);
    }
    request
}

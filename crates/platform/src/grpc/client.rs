//! Calling a peer: a channel that connects when it is first used and reconnects by itself.

use std::time::Duration;

use tocsin_proto::catalogue::Service;
use tonic::Request;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Uri};

use super::GrpcError;
use super::connector::ServiceConnector;
use super::server::{KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT};
use crate::config::TlsSettings;
use crate::{telemetry, tls};

/// How long a connection may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a call may take until it answers or its stream begins.
const CALL_TIME_MAX: Duration = Duration::from_secs(30);
/// The port of https, where an address names none.
const HTTPS_PORT: u16 = 443;

/// A channel to another service, as `https://triage.internal:7402`. `tls` are our own files: the callee sees our
/// certificate, and must show one of our authority that names it, wherever it is found; both are read again when they
/// change. Nothing is connected yet, so a callee may start later.
pub fn connect(endpoint: &str, callee: Service, tls: Option<&TlsSettings>) -> Result<Channel, GrpcError> {
    let invalid = || GrpcError::Endpoint { endpoint: endpoint.to_owned() };
    let place: Uri = endpoint.parse().map_err(|_| invalid())?;
    let (Some("https"), Some(settings)) = (place.scheme_str(), tls) else { return connect_with(endpoint, None) };
    let host = place.host().ok_or_else(invalid)?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let (config, name) = tls::service_client(settings, callee)?;
    let connector = ServiceConnector { place: (host, place.port_u16().unwrap_or(HTTPS_PORT)), name, config };
    // TLS is the connector's, so the library must not add its own; calls carry the true address all the same.
    let inner = endpoint.replacen("https://", "http://", 1);
    let channel = self::endpoint(&inner).map_err(|_| invalid())?.origin(place);
    Ok(channel.connect_with_connector_lazy(connector))
}

/// A channel for whoever is no service, as the command line, with the ordinary check of the host name.
pub fn connect_with(endpoint: &str, tls: Option<ClientTlsConfig>) -> Result<Channel, GrpcError> {
    let invalid = || GrpcError::Endpoint { endpoint: endpoint.to_owned() };
    let mut channel = self::endpoint(endpoint).map_err(|_| invalid())?;
    match channel.uri().scheme_str() {
        Some("http") => {}
        Some("https") => {
            channel = channel.tls_config(tls.unwrap_or_default()).map_err(GrpcError::Serve)?;
        }
        _ => return Err(invalid()),
    }
    Ok(channel.connect_lazy())
}

fn endpoint(address: &str) -> Result<Endpoint, tonic::transport::Error> {
    Ok(Endpoint::from_shared(address.to_owned())?
        .connect_timeout(CONNECT_TIME_MAX)
        .timeout(CALL_TIME_MAX)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true))
}

/// A request that carries the current trace to the peer.
pub fn outgoing<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(value) = telemetry::current_traceparent().and_then(|text| text.parse().ok()) {
        request.metadata_mut().insert("traceparent", value);
    }
    request
}

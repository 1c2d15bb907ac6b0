//! The TLS of doors. Each connection takes the configuration that is in force when it arrives.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use super::files::{certificates, key, named, provider, roots};
use super::reload::Reloading;
use super::{SERVICE_PROTOCOL, TlsError};
use crate::config::TlsSettings;

/// For a gRPC door; with an authority, clients must show a certificate of it.
pub(crate) fn grpc_server(settings: &TlsSettings) -> Result<Reloading<ServerConfig>, TlsError> {
    let own = settings.clone();
    Reloading::start(named(settings), move || grpc_config(&own))
}

/// For an HTTPS door. Its clients are people and programs with keys, so no certificate of theirs is asked for.
pub(crate) fn http_server(settings: &TlsSettings) -> Result<Reloading<ServerConfig>, TlsError> {
    let own = settings.clone();
    Reloading::start(vec![settings.certificate.clone(), settings.key.clone()], move || http_config(&own))
}

pub(super) fn grpc_config(settings: &TlsSettings) -> Result<ServerConfig, TlsError> {
    let mut config = config(settings, settings.authority.as_deref(), &[SERVICE_PROTOCOL])?;
    // A session that is taken up again is not verified again: it would outlive the client's certificate.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn http_config(settings: &TlsSettings) -> Result<ServerConfig, TlsError> {
    config(settings, None, &[SERVICE_PROTOCOL, b"http/1.1"])
}

/// Our own certificate, the authority of the clients' if they must show one, and the protocols, the preferred one first.
fn config(settings: &TlsSettings, of_clients: Option<&Path>, protocols: &[&[u8]]) -> Result<ServerConfig, TlsError> {
    let unusable = |source| TlsError::Unusable { path: settings.certificate.clone(), source };
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(unusable)?;
    let builder = match of_clients {
        Some(path) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots(path)?, provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|_| TlsError::Authority { path: path.to_owned() })?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config =
        builder.with_single_cert(certificates(&settings.certificate)?, key(&settings.key)?).map_err(unusable)?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

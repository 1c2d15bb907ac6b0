//! The TLS of a service that calls another: it shows its own certificate and trusts its own authority only.

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tocsin_proto::catalogue::Service;

use super::files::{certificates, key, named, provider, roots};
use super::reload::Reloading;
use super::{TlsError, service_name};
use crate::config::TlsSettings;

/// What is spoken inside TLS between services: HTTP/2.
pub(crate) const SERVICE_PROTOCOL: &[u8] = b"h2";

/// The configuration for calls to `callee`, and the name that its certificate must carry. Without an authority nobody is
/// trusted.
pub(crate) fn service_client(
    settings: &TlsSettings,
    callee: Service,
) -> Result<(Reloading<ClientConfig>, ServerName<'static>), TlsError> {
    let name = service_name(callee);
    let name = ServerName::try_from(name.clone()).map_err(|_| TlsError::Name { name })?;
    let own = settings.clone();
    Ok((Reloading::start(named(settings), move || client_config(&own))?, name))
}

fn client_config(settings: &TlsSettings) -> Result<ClientConfig, TlsError> {
    let unusable = |source| TlsError::Unusable { path: settings.certificate.clone(), source };
    let trusted = match &settings.authority {
        Some(path) => roots(path)?,
        None => RootCertStore::empty().into(),
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(trusted)
        .with_client_auth_cert(certificates(&settings.certificate)?, key(&settings.key)?)
        .map_err(unusable)?;
    // A session that is taken up again is not verified again: it would outlive the peer's certificate.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![SERVICE_PROTOCOL.to_vec()];
    Ok(config)
}

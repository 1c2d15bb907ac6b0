//! TLS towards gateways, smarthosts and webhooks: the public authorities that are compiled in, and at most one more.
//!
//! The system's store is not asked, so that a container without one works and nobody else decides whom we trust.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// The file of the further authority is no PEM certificate.
    #[error("{key}: the file {path} holds no PEM certificate that can be used")]
    Authority {
        /// The setting.
        key: &'static str,
        /// The file.
        path: String,
    },
    /// The TLS library refused its own defaults.
    #[error("the TLS library refused its settings")]
    Library(#[from] rustls::Error),
}

/// The settings of a client that trusts the public authorities and, if given, one more from the file that `key` names.
pub(crate) fn client(key: &'static str, authority: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = authority {
        let failed = || TlsError::Authority { key, path: path.display().to_string() };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|_| failed())?;
        let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|_| failed())?;
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(failed());
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

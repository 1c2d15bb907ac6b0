//! Certificates: PEM files into the TLS of doors and of calls between services, read again when they change.
//!
//! A certificate of ours carries the name `<service>.tocsin.internal` beside its host names. A service that calls another
//! asks for that very name, whatever host it found it at, so that no service's certificate can stand in for another's.

mod client;
mod files;
mod peer;
mod reload;
mod server;

use std::io;
use std::path::{Path, PathBuf};

use tocsin_proto::catalogue::Service;

use crate::config::TlsSettings;

pub(crate) use client::{SERVICE_PROTOCOL, service_client};
pub use peer::PeerName;
pub(crate) use reload::Reloading;
pub(crate) use server::{grpc_server, http_server};

/// Under this domain certificates name services. It is reserved for private use, so no public authority signs it.
const SERVICE_DOMAIN: &str = "tocsin.internal";

/// The name that the certificate of a service, or of another part of an installation, must carry.
pub fn certificate_name(part: &str) -> String {
    format!("{part}.{SERVICE_DOMAIN}")
}

/// The name that the certificate of a service must carry.
pub fn service_name(service: Service) -> String {
    certificate_name(service.as_str())
}

/// Reads the files as the doors would, so that a bad one is named before anything starts.
pub fn check(settings: &TlsSettings) -> Result<(), TlsError> {
    server::grpc_config(settings).map(drop)
}

/// The same for a client of somebody else's server: whom it trusts, and its own certificate with the key.
pub(crate) fn check_client(authority: Option<&Path>, own: Option<(&Path, &Path)>) -> Result<(), TlsError> {
    authority.map(files::roots).transpose()?;
    let Some((certificate, key)) = own else { return Ok(()) };
    let chain = files::certificates(certificate)?;
    rustls::sign::CertifiedKey::from_der(chain, files::key(key)?, &files::provider())
        .map(drop)
        .map_err(|source| TlsError::Unusable { path: certificate.to_owned(), source })
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("the file {path} cannot be read")]
    File {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds no PEM of the kind expected.
    #[error("the file {path} holds no {expected} in PEM form")]
    NotPem {
        /// Its path.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
    },
    /// Certificate and key do not fit, or are of a kind that is not supported.
    #[error("the certificate {path} and its key cannot be used together")]
    Unusable {
        /// The certificate's path.
        path: PathBuf,
        /// What the library said.
        source: rustls::Error,
    },
    /// The authority's certificate is of a kind that is not supported.
    #[error("the file {path} holds no certificate that can be an authority")]
    Authority {
        /// The file.
        path: PathBuf,
    },
    /// A name that no certificate can carry.
    #[error("`{name}` is no name that a certificate can carry")]
    Name {
        /// The name.
        name: String,
    },
}

#[cfg(test)]
pub(crate) mod tests;

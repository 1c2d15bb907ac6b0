//! Certificates: PEM files into the settings of gRPC and HTTP servers and clients.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

use crate::config::TlsSettings;

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
}

/// For a gRPC server; with an authority, clients must show a certificate of it.
pub fn grpc_server(settings: &TlsSettings) -> Result<ServerTlsConfig, TlsError> {
    // Read as the HTTP door does, so that a bad file is named before the server starts.
    http_server(settings)?;
    let config = ServerTlsConfig::new().identity(identity(settings)?);
    Ok(match &settings.authority {
        Some(path) => {
            certificates(path)?;
            config.client_ca_root(Certificate::from_pem(read(path)?))
        }
        None => config,
    })
}

/// For a gRPC client that calls a peer: shows our certificate and trusts the authority, or the public ones without it.
pub fn grpc_client(settings: &TlsSettings) -> Result<ClientTlsConfig, TlsError> {
    let config = ClientTlsConfig::new().identity(identity(settings)?);
    Ok(match &settings.authority {
        Some(path) => config.ca_certificate(Certificate::from_pem(read(path)?)),
        None => config,
    })
}

/// For an HTTPS server. Its clients are people and programs with keys, so no certificate of theirs is asked for.
pub fn http_server(settings: &TlsSettings) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let certificates = certificates(&settings.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&settings.key)?)
        .map_err(|_| TlsError::NotPem { path: settings.key.clone(), expected: "private key" })?;
    let unusable = |source| TlsError::Unusable { path: settings.certificate.clone(), source };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn identity(settings: &TlsSettings) -> Result<Identity, TlsError> {
    Ok(Identity::from_pem(read(&settings.certificate)?, read(&settings.key)?))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let not_pem = || TlsError::NotPem { path: path.to_owned(), expected: "certificate" };
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<_, _>>().map_err(|_| not_pem())?;
    if found.is_empty() { Err(not_pem()) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
}

/// For a gRPC client without a certificate of its own, as the command line: trusts one authority.
pub fn grpc_client_trusting(authority: &Path) -> Result<ClientTlsConfig, TlsError> {
    certificates(authority)?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(authority)?)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A fresh authority with one certificate for `localhost`, as files.
    pub(crate) struct Files {
        folder: tempfile::TempDir,
    }

    impl Files {
        pub(crate) fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let authority_key = rcgen::KeyPair::generate().unwrap();
            let mut parameters = rcgen::CertificateParams::default();
            parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let authority = parameters.self_signed(&authority_key).unwrap();
            let issuer = rcgen::Issuer::new(parameters, authority_key);
            let key = rcgen::KeyPair::generate().unwrap();
            let names = vec!["localhost".to_owned()];
            let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
            let files = Self { folder };
            std::fs::write(files.path("authority.pem"), authority.pem()).unwrap();
            std::fs::write(files.path("certificate.pem"), certificate.pem()).unwrap();
            std::fs::write(files.path("key.pem"), key.serialize_pem()).unwrap();
            files
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        pub(crate) fn settings(&self) -> TlsSettings {
            TlsSettings {
                certificate: self.path("certificate.pem"),
                key: self.path("key.pem"),
                authority: Some(self.path("authority.pem")),
            }
        }
    }

    #[test]
    fn a_bad_file_is_named() {
        let files = Files::new();
        let good = files.settings();
        http_server(&good).unwrap();
        grpc_server(&good).unwrap();
        let check = |settings: TlsSettings, expect: &str| {
            let error = grpc_server(&settings).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        check(TlsSettings { certificate: files.path("nowhere.pem"), ..good.clone() }, "nowhere.pem cannot be read");
        check(
            TlsSettings { certificate: good.key.clone(), ..good.clone() },
            "key.pem holds no certificate in PEM form",
        );
        check(TlsSettings { key: good.certificate.clone(), ..good.clone() }, "certificate.pem holds no private key");
        let other = Files::new();
        check(TlsSettings { key: other.settings().key, ..good.clone() }, "cannot be used together");
        check(TlsSettings { authority: Some(good.key.clone()), ..good }, "key.pem holds no certificate in PEM form");
    }
}

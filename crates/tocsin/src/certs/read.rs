//! What a certificate file says: its names and its end.

use std::net::IpAddr;
use std::path::Path;

use chrono::{DateTime, Utc};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use crate::exit::{Exit, Failed};

/// What the first certificate of a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// The names and addresses that it is good for, in its order.
    pub(crate) names: Vec<String>,
    /// Until when it is good.
    pub(crate) ends: DateTime<Utc>,
    /// The bytes of its public key.
    pub(super) public_key: Vec<u8>,
}

impl Certificate {
    /// Whole days that are left; negative once it has expired.
    pub(crate) fn days_left(&self, now: DateTime<Utc>) -> i64 {
        (self.ends - now).num_seconds().div_euclid(86_400)
    }
}

/// Reads a file.
pub(crate) fn read_certificate(path: &Path) -> Result<Certificate, Failed> {
    let unreadable = || Failed::new(Exit::Other, format!("{} holds no certificate that can be read", path.display()));
    let text = std::fs::read(path)
        .map_err(|error| Failed::new(Exit::Other, format!("cannot read {}: {error}", path.display())))?;
    let certificate = CertificateDer::from_pem_slice(&text).map_err(|_| unreadable())?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).map_err(|_| unreadable())?;
    let ends = DateTime::from_timestamp(parsed.validity().not_after.timestamp(), 0).ok_or_else(unreadable)?;
    let public_key = parsed.public_key().subject_public_key.data.to_vec();
    Ok(Certificate { names: names(&parsed), ends, public_key })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
            _ => None,
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four: Result<[u8; 4], _> = bytes.try_into();
    let sixteen: Result<[u8; 16], _> = bytes.try_into();
    four.map(IpAddr::from).or_else(|_| sixteen.map(IpAddr::from)).ok()
}

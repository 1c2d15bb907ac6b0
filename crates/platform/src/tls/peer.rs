//! Who is at the other end of a connection, as far as its certificate says.

use rustls::ServerConnection;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use tocsin_proto::catalogue::Service;

use super::service_name;

/// The service that the verified certificate of a gRPC client names. It is an extension of every request:
/// `request.extensions().get::<PeerName>()`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerName {
    service: Option<Service>,
}

impl PeerName {
    /// The service; none for people and programs, and where the door asks for no certificate.
    pub fn service(self) -> Option<Service> {
        self.service
    }

    /// Of a connection whose handshake has ended.
    pub(crate) fn of(connection: &ServerConnection) -> Self {
        let leaf = connection.peer_certificates().and_then(<[_]>::first);
        Self { service: leaf.and_then(named_by) }
    }
}

/// A certificate that names several services, as one with a wildcard does, stands for none of them.
fn named_by(certificate: &CertificateDer<'_>) -> Option<Service> {
    let certificate = ParsedCertificate::try_from(certificate).ok()?;
    let mut named = Service::ALL.into_iter().filter(|service| {
        ServerName::try_from(service_name(*service)).is_ok_and(|name| verify_server_name(&certificate, &name).is_ok())
    });
    let first = named.next();
    if named.next().is_some() { None } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_stands_for_the_one_service_that_it_names() {
        let check = |names: &[&str], expected: Option<Service>| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let made = rcgen::generate_simple_self_signed(names).unwrap();
            assert_eq!(named_by(made.cert.der()), expected);
        };
        check(&["triage.tocsin.internal", "localhost"], Some(Service::Triage));
        check(&["client.tocsin.internal"], None);
        check(&["triage"], None);
        check(&["triage.tocsin.internal", "intake.tocsin.internal"], None);
        check(&["*.tocsin.internal"], None);
        assert_eq!(named_by(&CertificateDer::from(vec![0_u8; 8])), None);
    }
}

//! Where a service is and how its door is opened: what was named on the command line, else what the settings say.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use tocsin_proto::catalogue::Service;
use tonic::transport::{Certificate, ClientTlsConfig, Identity, Uri};

use super::Client;
use crate::exit::Failed;

impl Client {
    /// The URL of a service and, for https, whom to trust.
    pub(super) fn address(&self, service: Service) -> Result<(String, Option<ClientTlsConfig>), Failed> {
        let named = match service {
            Service::Intake => &self.common.intake,
            Service::Triage => &self.common.triage,
            Service::Dispatch => &self.common.dispatch,
            Service::Notification => &self.common.notification,
        };
        let url = match named {
            Some(url) => url.clone(),
            None => self.settings()?.services.of(service).peer_url(),
        };
        match check(service, &url)? {
            Scheme::Clear => Ok((url, None)),
            Scheme::Tls => Ok((url, Some(self.tls(service)?))),
        }
    }

    fn tls(&self, service: Service) -> Result<ClientTlsConfig, Failed> {
        let trust = match &self.common.authority {
            Some(authority) => Trust { authority: Some(authority.clone()), identity: None },
            None => self.settings_tls(service)?,
        };
        let authority = trust.authority.ok_or_else(|| {
            Failed::usage(format!("nothing says whom to trust as {service}"))
                .advise("name the authority of its certificate: --authority FILE, or `services.<name>.tls.authority`")
        })?;
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&authority)?));
        let own = self.common.certificate.clone().zip(self.common.certificate_key.clone()).or(trust.identity);
        if let Some((certificate, key)) = own {
            tls = tls.identity(Identity::from_pem(read(&certificate)?, read(&key)?));
        }
        Ok(tls)
    }

    /// What the settings hold for this service, which serves us where we run beside it.
    fn settings_tls(&self, service: Service) -> Result<Trust, Failed> {
        let Some(tls) = &self.settings()?.services.of(service).tls else { return Ok(Trust::default()) };
        // Without an authority of its own the service asks for no certificate of ours.
        let identity = tls.authority.is_some().then(|| (tls.certificate.clone(), tls.key.clone()));
        Ok(Trust { authority: tls.authority.clone(), identity })
    }
}

/// Whom to trust, and the certificate and key to show.
#[derive(Debug, Default)]
struct Trust {
    authority: Option<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Scheme {
    Clear,
    Tls,
}

/// Keys and reports travel in clear text only where nobody else can listen.
fn check(service: Service, url: &str) -> Result<Scheme, Failed> {
    let wrong = || {
        Failed::usage(format!("the address of {service} is none: write it as https://host:port"))
            .advise(format!("check --{service}, TOCSIN_{}_URL and the settings", service.as_str().to_uppercase()))
    };
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let host = uri.host().ok_or_else(wrong)?;
    match uri.scheme_str() {
        Some("https") => Ok(Scheme::Tls),
        Some("http") if is_loopback(host) => Ok(Scheme::Clear),
        Some("http") => {
            Err(Failed::usage(format!("{service} is not on this machine, and http would tell everybody the key"))
                .advise("use https, with --authority FILE"))
        }
        _ => Err(wrong()),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn read(path: &Path) -> Result<Vec<u8>, Failed> {
    std::fs::read(path).map_err(|error| Failed::usage(format!("cannot read {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_text_stays_on_this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1:7402", Some(Scheme::Clear)),
            ("http://[::1]:7402", Some(Scheme::Clear)),
            ("http://localhost:7402", Some(Scheme::Clear)),
            ("https://triage.example:7402", Some(Scheme::Tls)),
            ("http://triage.example:7402", None),
            ("http://10.0.0.1:7402", None),
            ("http://127.0.0.1.example:7402", None),
            ("127.0.0.1:7402", None),
            ("ftp://127.0.0.1", None),
            ("not an address", None),
        ] {
            assert_eq!(check(Service::Triage, url).ok(), expected, "{url}");
        }
    }
}

//! `tocsin health <service>`: asks a service of this machine whether it is ready. Containers without a shell or curl use
//! it as their health check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client, StatusCode};
use tocsin_platform::config::Settings;
use tocsin_platform::tls;
use tocsin_proto::catalogue::Service;

use crate::exit::{Exit, Failed};
use crate::output;

/// How long the service may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(4);

/// Ends well when `/readyz` of the service says that it is ready.
pub(crate) async fn run(service: Service, settings: Settings) -> Result<(), Failed> {
    let at = settings.services.of(service);
    let address = reachable(at.http);
    let name = tls::service_name(service);
    let mut client = Client::builder().no_proxy().timeout(ANSWER_TIME).resolve(&name, address);
    let scheme = if at.tls.is_some() { "https" } else { "http" };
    if let Some(authority) = at.tls.as_ref().and_then(|tls| tls.authority.as_deref()) {
        client = client.tls_certs_only(certificates(authority)?);
    }
    let client = client.build().map_err(|error| Failed::other("no request can be made", &error))?;
    let answer = client.get(format!("{scheme}://{name}:{}/readyz", address.port())).send().await;
    let answer = answer.map_err(|error| {
        Failed::new(Exit::Unavailable, format!("{service} does not answer at {address}: {}", root(&error)))
    })?;
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    if status == StatusCode::OK {
        output::print(&format!("{service} is ready"));
        return Ok(());
    }
    Err(Failed::new(Exit::Unavailable, format!("{service} is not ready ({status}): {}", body.trim())))
}

/// A door on every address of the machine is asked over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
        _ => address,
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, Failed> {
    let name = path.display();
    let pem = std::fs::read(path).map_err(|error| Failed::other(&format!("{name} cannot be read"), &error))?;
    Certificate::from_pem_bundle(&pem).map_err(|error| Failed::other(&format!("{name} holds no certificate"), &error))
}

/// What lies at the bottom of an error: a refused connection or a certificate, not the request around it.
fn root(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_on_every_address_is_asked_over_loopback() {
        for (listens, asked) in [
            ("0.0.0.0:7411", "127.0.0.1:7411"),
            ("[::]:7411", "[::1]:7411"),
            ("10.1.2.3:7411", "10.1.2.3:7411"),
            ("127.0.0.1:7411", "127.0.0.1:7411"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap());
        }
    }
}

//! The doors of the services: free before the start, healthy while they run.

use std::net::SocketAddr;

use tocsin_platform::config::Settings;
use tocsin_proto::catalogue::Service;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{Finding, TRY_TIME};
use crate::client::Client;

/// What of an HTTP answer is read: enough for its first line.
const ANSWER_BYTES_MAX: u64 = 256;

/// Looks at both doors of each service.
pub(super) async fn check(settings: &Settings, client: &Client) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in Service::ALL {
        let doors = settings.services.of(service);
        if is_answering(doors.grpc).await {
            findings.push(health(service, client).await);
            findings.push(readiness(service, doors.http, doors.tls.is_some()).await);
        } else {
            findings.push(free(service, &[doors.grpc, doors.http]).await);
        }
    }
    findings
}

async fn is_answering(address: SocketAddr) -> bool {
    matches!(tokio::time::timeout(TRY_TIME, TcpStream::connect(address)).await, Ok(Ok(_)))
}

async fn health(service: Service, client: &Client) -> Finding {
    let channel = match client.channel(service) {
        Ok(channel) => channel,
        Err(failed) => {
            let advice = failed.details.advice.unwrap_or_else(|| "correct the address or the authority".to_owned());
            return Finding::warn(
                "services",
                format!("{service} answers, but cannot be asked: {}", failed.message),
                advice,
            );
        }
    };
    let asked = tokio::time::timeout(TRY_TIME, async {
        HealthClient::new(channel).check(HealthCheckRequest { service: String::new() }).await
    });
    match asked.await {
        Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving => {
            Finding::ok("services", format!("{service} runs and serves"))
        }
        Ok(Ok(_)) => {
            Finding::warn("services", format!("{service} runs and does not serve"), "it starts or ends; look again")
        }
        Ok(Err(status)) => {
            let found = format!("what answers at the door of {service} is not a healthy service ({:?})", status.code());
            Finding::fail("services", found, "check which program listens there, and the TLS settings")
        }
        Err(_) => Finding::fail("services", format!("{service} did not answer in time"), "look into its log"),
    }
}

/// `/readyz` says whether what the service needs is there.
async fn readiness(service: Service, address: SocketAddr, tls: bool) -> Finding {
    if tls {
        // Asking through TLS is what the gRPC door was tried for.
        return if is_answering(address).await {
            Finding::ok("services", format!("{service}'s HTTP door answers at {address}"))
        } else {
            Finding::fail("services", format!("{service}'s HTTP door at {address} is shut"), "look into its log")
        };
    }
    match tokio::time::timeout(TRY_TIME, first_line(address)).await {
        Ok(Ok(line)) if line.contains(" 200") => {
            Finding::ok("services", format!("{service} is ready ({address}/readyz)"))
        }
        Ok(Ok(line)) => {
            let found = format!("{service} is not ready: {line}");
            Finding::warn("services", found, format!("`curl http://{address}/readyz` names what is missing"))
        }
        Ok(Err(error)) => {
            Finding::fail("services", format!("{service}'s HTTP door at {address}: {error}"), "look into its log")
        }
        Err(_) => {
            Finding::fail("services", format!("{service}'s HTTP door did not answer in time"), "look into its log")
        }
    }
}

async fn first_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}

/// Whether a start would find the addresses free.
async fn free(service: Service, addresses: &[SocketAddr]) -> Finding {
    for address in addresses {
        if let Err(error) = TcpListener::bind(address).await {
            let found = format!("{service} cannot listen on {address}: {error}");
            return Finding::fail("services", found, format!("free the port, or set `services.{service}`"));
        }
    }
    let list = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    Finding::ok("services", format!("{service} does not run here; {list} are free"))
}

//! The sockets of services, bound before anything else starts, so that a taken port is the first error.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tocsin_platform::config::Settings;
use tocsin_platform::service::StartError;
use tocsin_proto::catalogue::Service;
use tokio::net::TcpListener;

/// The two listeners of one service.
pub(super) struct Door {
    pub(super) service: Service,
    grpc: std::net::TcpListener,
    http: std::net::TcpListener,
}

/// Where one service listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DoorAddresses {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
}

/// The listeners of the services of one process. They stay bound while this lives, whoever accepts on them.
pub(crate) struct Doors(Vec<Door>);

impl Doors {
    /// Binds all four services to free loopback ports.
    pub(crate) async fn on_free_ports() -> io::Result<Self> {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut doors = Vec::new();
        for service in Service::ALL {
            doors.push(Door::bind(service, free, free).await?);
        }
        Ok(Self(doors))
    }

    /// Binds these services where the settings say. The error names the key and the address.
    pub(crate) async fn of(services: &[Service], settings: &Settings) -> Result<Self, StartError> {
        let mut doors = Vec::new();
        for &service in services {
            let at = settings.services.of(service);
            let door = Door::bind(service, at.grpc, at.http).await.map_err(|error| {
                let key = format!("services.{service}");
                StartError::Config(
                    settings.invalid(&key, format!("cannot listen on {} and {}: {error}", at.grpc, at.http)),
                )
            })?;
            doors.push(door);
        }
        Ok(Self(doors))
    }

    /// Each service's, in the order in which they were bound.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Door> {
        self.0.iter()
    }

    /// Where each service listens, in the order in which they were bound.
    pub(crate) fn addresses(&self) -> io::Result<Vec<DoorAddresses>> {
        self.0
            .iter()
            .map(|door| Ok(DoorAddresses { grpc: door.grpc.local_addr()?, http: door.http.local_addr()? }))
            .collect()
    }

    /// Where people open the links of e-mails: dispatch's HTTP door.
    pub(crate) fn public_url(&self) -> io::Result<String> {
        let dispatch = self.0.iter().find(|door| door.service == Service::Dispatch);
        let address = dispatch.map(|door| door.http.local_addr()).transpose()?;
        Ok(address.map(|address| format!("http://{address}")).unwrap_or_default())
    }

    /// The same as lines of a settings file.
    pub(crate) fn settings_text(&self) -> io::Result<String> {
        let mut text = String::new();
        for (door, at) in self.0.iter().zip(self.addresses()?) {
            // Writing into a text cannot fail.
            let _ = writeln!(text, "\n[services.{}]\ngrpc = \"{}\"\nhttp = \"{}\"", door.service, at.grpc, at.http);
        }
        Ok(text)
    }
}

impl Door {
    /// Bound by the runtime, which sets what servers want, and kept as plain sockets, which can be shared.
    async fn bind(service: Service, grpc: SocketAddr, http: SocketAddr) -> io::Result<Self> {
        let (grpc, http) = (TcpListener::bind(grpc).await?, TcpListener::bind(http).await?);
        Ok(Self { service, grpc: grpc.into_std()?, http: http.into_std()? })
    }

    /// Both sockets once more, gRPC and HTTP: what is accepted on one of two copies is gone for the other, and a copy may
    /// be dropped while the queue of connections stays.
    pub(super) fn listeners(&self) -> io::Result<(TcpListener, TcpListener)> {
        Ok((TcpListener::from_std(self.grpc.try_clone()?)?, TcpListener::from_std(self.http.try_clone()?)?))
    }
}

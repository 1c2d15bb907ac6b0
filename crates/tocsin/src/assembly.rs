//! Puts services together in one process: each with its own database and doors, all with one clock, one bus and one
//! store of credentials. The demo, `up` and `serve` start them through here, so what is tried is what runs.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tocsin_platform::bus::Bus;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::{BusKind, Settings};
use tocsin_platform::credentials::Credentials;
use tocsin_platform::grpc;
use tocsin_platform::lifecycle::{LifecycleError, Shutdown, ShutdownHandle, Tasks};
use tocsin_platform::service::{Parts, Peers, StartError};
use tocsin_proto::catalogue::Service;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::exit::Failed;

/// The two listeners of one service, bound before anything else starts.
pub(crate) struct Door {
    service: Service,
    grpc: TcpListener,
    http: TcpListener,
}

/// Where one service listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DoorAddresses {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
}

/// The listeners of the services of one process.
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
    async fn bind(service: Service, grpc: SocketAddr, http: SocketAddr) -> io::Result<Self> {
        Ok(Self { service, grpc: TcpListener::bind(grpc).await?, http: TcpListener::bind(http).await? })
    }
}

/// Services that run in this process until stopped.
pub(crate) struct Running {
    handle: ShutdownHandle,
    tasks: JoinHandle<Result<(), LifecycleError>>,
    credentials: Credentials,
}

impl Running {
    /// Starts the services whose doors are given.
    pub(crate) async fn start(settings: Settings, clock: Clock, doors: Doors) -> Result<Self, StartError> {
        let credentials = Credentials::open(&settings.database, clock.clone()).await?;
        let shared = Shared { settings, clock, credentials: credentials.clone(), in_process: Bus::in_process() };
        let (handle, shutdown) = Shutdown::pair();
        let mut tasks = Tasks::new(shared.settings.limits.drain_time());
        for door in doors.0 {
            Box::pin(shared.spawn(door, &mut tasks, &shutdown)).await?;
        }
        let tasks = tokio::spawn(tasks.run_until(shutdown));
        Ok(Self { handle, tasks, credentials })
    }

    /// The store of keys, for the bootstrap key.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Waits until `asked` or until a task dies, then drains and returns how the services ended.
    pub(crate) async fn until(mut self, asked: impl Future<Output = ()>) -> Result<(), LifecycleError> {
        tokio::select! {
            ended = &mut self.tasks => return joined(ended),
            () = asked => {}
        }
        self.handle.drain();
        joined((&mut self.tasks).await)
    }

    /// Drains and waits for the end.
    pub(crate) async fn stop(self) -> Result<(), LifecycleError> {
        self.until(std::future::ready(())).await
    }
}

fn joined(ended: Result<Result<(), LifecycleError>, tokio::task::JoinError>) -> Result<(), LifecycleError> {
    ended.unwrap_or_else(|_| Err(LifecycleError::Panicked { task: "services".to_owned() }))
}

/// What the services of one process share.
struct Shared {
    settings: Settings,
    clock: Clock,
    credentials: Credentials,
    in_process: Bus,
}

impl Shared {
    async fn spawn(&self, door: Door, tasks: &mut Tasks, shutdown: &Shutdown) -> Result<(), StartError> {
        let (service, parts) = (door.service, self.parts(door).await?);
        let shutdown = shutdown.clone();
        match service {
            Service::Intake => tasks.spawn("intake", tocsin_intake::App::build(parts).await?.run(shutdown)),
            Service::Triage => tasks.spawn("triage", tocsin_triage::App::build(parts).await?.run(shutdown)),
            Service::Dispatch => tasks.spawn("dispatch", tocsin_dispatch::App::build(parts).await?.run(shutdown)),
            Service::Notification => {
                tasks.spawn("notification", tocsin_notification::App::build(parts).await?.run(shutdown));
            }
        }
        Ok(())
    }

    async fn parts(&self, door: Door) -> Result<Parts, StartError> {
        let bus = match self.settings.bus.kind {
            BusKind::InProcess => self.in_process.clone(),
            BusKind::Nats => Bus::nats(&self.settings.bus.nats()?, door.service).await?,
        };
        let own = self.settings.services.of(door.service).tls.as_ref();
        let peer = |callee| {
            let url = self.settings.services.of(callee).peer_url();
            // Only triage asks others; without an authority it could trust nobody, and no release would ever pass.
            let trusts = own.is_some_and(|tls| tls.authority.is_some());
            if door.service == Service::Triage && url.starts_with("https") && !trusts {
                let problem = format!("must name the authority of {callee}'s certificate, whom triage asks over TLS");
                return Err(self.settings.invalid("services.triage.tls.authority", problem).into());
            }
            Ok::<_, StartError>(grpc::connect(&url, callee, own)?)
        };
        Ok(Parts {
            settings: self.settings.clone(),
            clock: self.clock.clone(),
            bus,
            credentials: self.credentials.clone(),
            grpc: door.grpc,
            http: door.http,
            peers: Peers { dispatch: peer(Service::Dispatch)?, notification: peer(Service::Notification)? },
        })
    }
}

impl From<StartError> for Failed {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(error) => error.into(),
            other => Self::other("a service did not start", &other),
        }
    }
}

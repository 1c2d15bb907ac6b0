//! Puts services together in one process: each with its own database and doors, all with one clock, one bus and one
//! store of credentials. The demo, `up` and `serve` start them through here, so what is tried is what runs.

mod doors;
#[cfg(test)]
mod tests;
mod waiting;

use tocsin_platform::bus::Bus;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::{BusKind, Settings};
use tocsin_platform::credentials::{Credentials, IssuedKey};
use tocsin_platform::grpc;
use tocsin_platform::lifecycle::{LifecycleError, Shutdown, ShutdownHandle, Tasks};
use tocsin_platform::service::{Parts, Peers, StartError};
use tocsin_platform::tls;
use tocsin_proto::catalogue::Service;
use tokio::task::JoinHandle;

pub(crate) use doors::{DoorAddresses, Doors};

use crate::exit::Failed;
use doors::Door;

/// Services that run in this process until stopped.
pub(crate) struct Running {
    handle: ShutdownHandle,
    tasks: JoinHandle<Result<(), LifecycleError>>,
    credentials: Credentials,
}

impl Running {
    /// Starts the services whose doors are given, as soon as their database is there. `tell_first_key` hears the first
    /// administrator key when there is none yet, before anything runs, so that a start that fails later has told it.
    pub(crate) async fn start(
        settings: Settings,
        clock: Clock,
        doors: Doors,
        tell_first_key: Option<fn(&IssuedKey)>,
    ) -> Result<Self, StartError> {
        let shared = Shared::new(settings, clock, &doors).await?;
        let attempt = || Box::pin(shared.build(&doors, tell_first_key));
        let (credentials, apps) = waiting::until_started(&doors, &shared.settings, attempt).await?;
        // From here on only the services hold the sockets, so that a drain shuts them.
        drop(doors);
        let (handle, shutdown) = Shutdown::pair();
        let mut tasks = Tasks::new(shared.settings.limits.drain_time());
        for app in apps {
            app.spawn(&mut tasks, shutdown.clone());
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

/// A service that was built and does not run yet.
enum App {
    Intake(Box<tocsin_intake::App>),
    Triage(Box<tocsin_triage::App>),
    Dispatch(Box<tocsin_dispatch::App>),
    Notification(Box<tocsin_notification::App>),
}

impl App {
    async fn build(service: Service, parts: Parts) -> Result<Self, StartError> {
        Ok(match service {
            Service::Intake => Self::Intake(Box::new(Box::pin(tocsin_intake::App::build(parts)).await?)),
            Service::Triage => Self::Triage(Box::new(Box::pin(tocsin_triage::App::build(parts)).await?)),
            Service::Dispatch => Self::Dispatch(Box::new(Box::pin(tocsin_dispatch::App::build(parts)).await?)),
            Service::Notification => {
                Self::Notification(Box::new(Box::pin(tocsin_notification::App::build(parts)).await?))
            }
        })
    }

    fn spawn(self, tasks: &mut Tasks, shutdown: Shutdown) {
        match self {
            Self::Intake(app) => tasks.spawn("intake", app.run(shutdown)),
            Self::Triage(app) => tasks.spawn("triage", app.run(shutdown)),
            Self::Dispatch(app) => tasks.spawn("dispatch", app.run(shutdown)),
            Self::Notification(app) => tasks.spawn("notification", app.run(shutdown)),
        }
    }
}

/// What the services of one process share.
struct Shared {
    settings: Settings,
    clock: Clock,
    /// One for each door, in their order; within a process all are the same.
    buses: Vec<Bus>,
    /// Whom triage asks, when it is among the services.
    peers: Option<Peers>,
}

impl Shared {
    /// Checks what needs no dependency, so that a wrong setting is told at once and not after a wait.
    async fn new(settings: Settings, clock: Clock, doors: &Doors) -> Result<Self, StartError> {
        for door in doors.iter() {
            if let Some(settings) = &settings.services.of(door.service).tls {
                tls::check(settings).map_err(grpc::GrpcError::from)?;
            }
        }
        let has_triage = doors.iter().any(|door| door.service == Service::Triage);
        let peers = has_triage.then(|| peers(&settings)).transpose()?;
        let in_process = Bus::in_process();
        let mut buses = Vec::new();
        for door in doors.iter() {
            buses.push(match settings.bus.kind {
                BusKind::InProcess => in_process.clone(),
                BusKind::Nats => Bus::nats(&settings.bus.nats()?, door.service).await?,
            });
        }
        Ok(Self { settings, clock, buses, peers })
    }

    /// Opens everything; may be tried again after it failed.
    async fn build(
        &self,
        doors: &Doors,
        tell_first_key: Option<fn(&IssuedKey)>,
    ) -> Result<(Credentials, Vec<App>), StartError> {
        let credentials = Credentials::open(&self.settings.database, self.clock.clone()).await?;
        if let Some(tell) = tell_first_key {
            credentials.bootstrap(tell).await?;
        }
        let mut apps = Vec::new();
        for (door, bus) in doors.iter().zip(&self.buses) {
            let parts = self.parts(door, bus, &credentials)?;
            apps.push(Box::pin(App::build(door.service, parts)).await?);
        }
        Ok((credentials, apps))
    }

    fn parts(&self, door: &Door, bus: &Bus, credentials: &Credentials) -> Result<Parts, StartError> {
        let (grpc, http) = door.listeners().map_err(|error| StartError::Other(error.to_string()))?;
        Ok(Parts {
            settings: self.settings.clone(),
            clock: self.clock.clone(),
            bus: bus.clone(),
            credentials: credentials.clone(),
            grpc,
            http,
            peers: self.peers.clone().filter(|_| door.service == Service::Triage),
        })
    }
}

/// The channels to the services that triage asks; no other one asks anybody.
fn peers(settings: &Settings) -> Result<Peers, StartError> {
    let own = settings.services.of(Service::Triage).tls.as_ref();
    let peer = |callee| {
        let url = settings.services.of(callee).peer_url();
        // Without an authority it could trust nobody, and no release would ever pass.
        let trusts = own.is_some_and(|tls| tls.authority.is_some());
        if url.starts_with("https") && !trusts {
            let problem = format!("must name the authority of {callee}'s certificate, whom triage asks over TLS");
            return Err(settings.invalid("services.triage.tls.authority", problem).into());
        }
        Ok::<_, StartError>(grpc::connect(&url, callee, own)?)
    };
    Ok(Peers { dispatch: peer(Service::Dispatch)?, notification: peer(Service::Notification)? })
}

impl From<StartError> for Failed {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(error) => error.into(),
            other => Self::other("a service did not start", &other),
        }
    }
}

//! The whole cluster: three nodes of NATS, PostgreSQL and two processes of each service, brought up in the order in
//! which each finds what it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tocsin_tests::installation::{Door, Doors, SERVICES};
use tocsin_tests::program::binary;
use tocsin_tests::{Outcome, Trouble};

use crate::hosts::HOSTS;
use crate::process::{Launch, Process};
use crate::register::{End, Register};
use crate::settings::{PROCESSES, Plan, name};

/// How long a service may take to be ready on a busy machine.
const READY_LIMIT: Duration = Duration::from_mins(1);
const LOOK_INTERVAL: Duration = Duration::from_millis(25);
/// How long one answer about readiness may take.
const LOOK_TIME_MAX: Duration = Duration::from_secs(3);

/// Everything that runs.
#[derive(Debug)]
pub struct Cluster {
    /// What was started, on the disk.
    pub register: Register,
    /// Who listens where.
    pub plan: Plan,
    /// The nodes of NATS, one on each host.
    pub nats: Vec<Process>,
    /// PostgreSQL.
    pub postgres: Process,
    /// The processes of the services: intake-1, intake-2, triage-1 and so on.
    pub services: Vec<Process>,
    folder: PathBuf,
    web: reqwest::Client,
}

/// What the services are told beside what is deployed.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// The settings of where messages go.
    pub receivers: &'a str,
    /// Added to the environment of a process of this name.
    pub environment: &'a dyn Fn(&str) -> Vec<(String, String)>,
}

impl Cluster {
    /// Starts everything and waits until it is ready. `tell` hears how far it is.
    pub async fn start(
        folder: &Path,
        register: Register,
        plan: Plan,
        services: Told<'_>,
        tell: &dyn Fn(&str),
    ) -> Outcome<Self> {
        let logs = logs(folder);
        fs::create_dir_all(&logs)?;
        tell("three nodes of NATS and PostgreSQL");
        let mut nats = Vec::new();
        for index in 0..HOSTS {
            nats.push(Process::start(plan.nats.launch(index, &plan.hosts, &plan.deployed, &logs)?, &register)?);
        }
        let postgres = Process::start(plan.postgres.launch(&plan.hosts, &plan.deployed, &logs)?, &register)?;
        plan.postgres.ready().await.map_err(|trouble| Trouble::new(format!("{trouble:?}\n{}", postgres.tail())))?;
        plan.postgres.make_roles(&plan.deployed)?;
        plan.nats.current().await?;
        let web = plan.deployed.web()?.timeout(LOOK_TIME_MAX).build()?;
        let mut cluster = Self { register, plan, nats, postgres, services: Vec::new(), folder: folder.to_owned(), web };
        for host in 0..PROCESSES {
            tell(&format!("process {} of each service", host + 1));
            cluster.start_services_of(host, services).await?;
        }
        // By name, so that both of one service stand beside each other.
        cluster.services.sort_by_key(|process| {
            SERVICES.iter().position(|service| process.name().starts_with(service)).unwrap_or_default()
        });
        Ok(cluster)
    }

    async fn start_services_of(&mut self, host: usize, told: Told<'_>) -> Outcome<()> {
        for service in SERVICES {
            let name = name(service, host);
            let settings = self.folder.join(format!("{name}.toml"));
            fs::write(&settings, self.plan.text(service, host, told.receivers)?)?;
            let mut command = self.plan.hosts.prefix(host);
            command.extend([binary()?.display().to_string(), "--config".to_owned(), settings.display().to_string()]);
            command.extend(["serve", service].map(str::to_owned));
            let launch = Launch {
                output: logs(&self.folder).join(format!("{name}.out")),
                log: logs(&self.folder).join(format!("{name}.err")),
                environment: (told.environment)(&name),
                name,
                command,
                end: End::Service,
            };
            self.services.push(Process::start(launch, &self.register)?);
        }
        let started = self.services.len() - SERVICES.len();
        for index in started..self.services.len() {
            self.ready(index).await?;
        }
        Ok(())
    }

    /// Where a process of a service is reached.
    pub fn door(&self, process: usize) -> Outcome<Door> {
        let found = self.services.get(process).and_then(|process| {
            let (service, host) = process.name().rsplit_once('-')?;
            let doors = self.plan.doors(usize::from(host != "1"));
            doors.all().into_iter().find(|(name, _)| *name == service).map(|(_, door)| door)
        });
        found.ok_or_else(no_such_process)
    }

    /// A process of a service.
    pub fn service(&mut self, index: usize) -> Outcome<&mut Process> {
        self.services.get_mut(index).ok_or_else(no_such_process)
    }

    /// Waits until a process of a service says that it is ready; returns how long that took.
    pub async fn ready(&mut self, index: usize) -> Outcome<Duration> {
        let (started, door) = (Instant::now(), self.door(index)?);
        loop {
            let process = self.services.get_mut(index).ok_or_else(no_such_process)?;
            if let Some(status) = process.ended()? {
                let name = process.name();
                return Err(Trouble::new(format!(
                    "{name} ended with {status} before it was ready\n{}",
                    process.tail()
                )));
            }
            let answer = self.web.get(format!("https://{}/readyz", door.http)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(started.elapsed());
            }
            if started.elapsed() > READY_LIMIT {
                let name = process.name();
                return Err(Trouble::new(format!("{name} is not ready after {READY_LIMIT:?}\n{}", process.tail())));
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Starts a process of a service again after it ended.
    pub fn launch_again(&mut self, index: usize) -> Outcome<()> {
        self.services.get_mut(index).ok_or_else(no_such_process)?.start_again(&self.register)
    }

    /// Starts a process of a service again after it ended, and waits until it is ready; returns how long that took.
    pub async fn start_again(&mut self, index: usize) -> Outcome<Duration> {
        self.launch_again(index)?;
        self.ready(index).await
    }

    /// Where the services of each host are reached.
    pub fn doors(&self) -> [Doors; PROCESSES] {
        [self.plan.doors(0), self.plan.doors(1)]
    }

    /// The folder around everything.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn no_such_process() -> Trouble {
    Trouble::new("there is no such process")
}

/// Where standard output and standard error of all members are kept.
pub fn logs(folder: &Path) -> PathBuf {
    folder.join("logs")
}

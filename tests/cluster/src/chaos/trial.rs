//! The cluster with everybody at work on it: reporters, the office, members and the world outside, from the first start
//! to the verdict.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tocsin_tests::Outcome;
use tocsin_tests::cast::{Cast, delegate};
use tocsin_tests::installation::SERVICES;
use tocsin_tests::network::{Network, open};
use tocsin_tests::receivers::Receivers;
use tocsin_tests::scenario::Scenario;
use tokio::task::JoinHandle;

use super::clock::Clocks;
use super::disk;
use super::forward::Forward;
use super::table::Rows;
use crate::cluster::{Cluster, Told, logs};
use crate::hosts::{HOSTS, Hosts};
use crate::ledger::Ledger;
use crate::ledger::evidence::Scene;
use crate::ledger::houses::Houses;
use crate::ledger::judge::{Crash, Verdict, judge};
use crate::ledger::members::Member;
use crate::ledger::office::Office;
use crate::ledger::reporters::{self, Stop};
use crate::people::assemble;
use crate::process::{Launch, Process};
use crate::register::{End, Register};
use crate::settings::{PROCESSES, Plan};

/// Organisations and contacts of each: small enough that many alerts go out, each on three channels.
const NETWORK: (usize, usize) = (6, 2);
/// Reporters at the same time, and the pause of each between two reports.
const REPORTERS: (usize, Duration) = (4, Duration::from_millis(400));
/// Offices at the same time, and the pause of each between two cases.
const OFFICES: (usize, Duration) = (2, Duration::from_millis(1500));
/// Room for the messages of each node of NATS.
const NATS_MIB: usize = 256;
/// How long everything may take to come to rest: leases of 30 s end, retries come, the broker is believed gone.
const REST_LIMIT: Duration = Duration::from_mins(3);

/// A trial.
pub struct Trial {
    /// The cluster.
    pub cluster: Cluster,
    /// The world outside, in this process, so that it survives every fault.
    pub receivers: Receivers,
    /// Clocks that can be set, where libfaketime is installed.
    pub clocks: Option<Clocks>,
    /// Whether the disks of NATS can be filled.
    pub small_disks: Outcome<()>,
    /// Why hosts cannot be cut off, if they cannot.
    pub uncut: Option<String>,
    /// Chooses moments.
    pub random: StdRng,
    /// Moments between which notification could send and not record.
    pub crashes: Vec<Crash>,
    /// What was done.
    pub rows: Rows,
    /// Clients of both processes, and the ledger.
    pub houses: Houses,
    /// A report.
    pub report: Value,
    /// Everybody's key.
    pub cast: Arc<Cast>,
    network: Network,
    stop: Stop,
    reporters: Vec<JoinHandle<Outcome<()>>>,
    others: Vec<JoinHandle<Outcome<()>>>,
    _carriers: Vec<JoinHandle<Outcome<()>>>,
}

/// What a trial needs beside the plain cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Hosts that can be cut, disks that can be filled, clocks that can be set, as far as this machine permits.
    Chaos,
    /// Everything on loopback.
    Plain,
}

impl Trial {
    /// Starts the cluster in a folder and everybody's work.
    pub async fn raise(folder: &Path, register: Register, seed: u64, form: Form, tell: &dyn Fn(&str)) -> Outcome<Self> {
        let network = open(NETWORK.0, NETWORK.1);
        let (hosts, uncut) = hosts(form, &register);
        let plan = Plan::choose(folder, hosts)?;
        let ours = std::fs::read(plan.deployed.certificate("authority.pem"))?;
        let receivers = Receivers::start_trusting(network.webhook_hosts(), &ours).await?;
        let authority = folder.join("receivers.pem");
        std::fs::write(&authority, receivers.authority_pem())?;
        let told = receivers.settings(&authority);
        let carriers = carry(&plan, &receivers, folder, &register)?;
        let (mut small_disks, mut clocks) = (Ok(()), None);
        if form == Form::Chaos {
            small_disks = (0..HOSTS).try_for_each(|node| disk::mount(&plan.nats.store(node), NATS_MIB, &register));
            clocks = Clocks::find(folder)?;
        }
        let environment =
            |name: &str| clocks.as_ref().and_then(|clocks| clocks.environment(name).ok()).unwrap_or_default();
        let told = Told { receivers: &told, environment: &environment };
        let cluster = Cluster::start(folder, register, plan, told, tell).await?;
        tell("an invented network, and everybody goes to work");
        let ledger = Arc::new(Ledger::default());
        let houses = Houses::of(cluster.doors(), &cluster.plan.deployed, ledger)?;
        let cast = Arc::new(assemble(folder, houses.clients(), &network).await?);
        let mut trial = Self {
            cluster,
            receivers,
            clocks,
            small_disks,
            uncut,
            random: StdRng::seed_from_u64(seed),
            crashes: Vec::new(),
            rows: Rows::new(),
            houses,
            report: Value::Null,
            cast,
            network,
            stop: Stop::default(),
            reporters: Vec::new(),
            others: Vec::new(),
            _carriers: carriers,
        };
        trial.set_to_work().await?;
        Ok(trial)
    }

    async fn set_to_work(&mut self) -> Outcome<()> {
        let mut scenario = Scenario::for_today()?;
        scenario.0["report"]["country"] = json!("XB");
        let scenario = Arc::new(scenario);
        self.report = scenario.report().clone();
        for number in 0..REPORTERS.0 {
            let started = reporters::start(number, &self.houses, self.report.clone(), REPORTERS.1, self.stop.clone());
            self.reporters.push(started);
        }
        for number in 0..OFFICES.0 {
            let office = Office {
                houses: self.houses.apart(number),
                cast: Arc::clone(&self.cast),
                scenario: Arc::clone(&scenario),
            };
            self.others.push(office.start(OFFICES.1, self.stop.clone()));
        }
        let clients = self.houses.clients().clone();
        for (number, response) in ["acknowledged", "signed"].into_iter().enumerate() {
            let organisation = format!("org-{:03}", number + 1);
            let secret = delegate(&clients, &self.cast.administrator, &organisation, "signatory_delegate").await?;
            let member =
                Member { houses: self.houses.apart(number), organisation, secret, response: response.to_owned() };
            self.others.push(member.start(self.stop.clone()));
        }
        Ok(())
    }

    /// Whether somebody gave up, which ends the trial.
    pub fn somebody_gave_up(&self) -> bool {
        self.reporters.iter().chain(&self.others).any(JoinHandle::is_finished)
    }

    /// Ends the work, waits until everything has come to rest, and compares promises and evidence.
    pub async fn conclude(&mut self) -> Outcome<(Verdict, Duration)> {
        // Members read on until everything has come to rest; whoever makes new work ends first.
        self.stop_makers().await;
        let database = self.cluster.plan.postgres.connect().await?;
        let houses = self.houses.clone();
        let scene = Scene {
            houses: &houses,
            coordinator: &self.cast.coordinator,
            database: &database,
            receivers: &self.receivers,
        };
        let rested = scene.rest(REST_LIMIT).await?;
        let evidence = scene.collect().await?;
        let gave_up: Vec<_> = self.others.extract_if(.., |task| task.is_finished()).collect();
        self.hear(gave_up).await;
        let contacts = self.network.contacts();
        let verdict = houses.ledger.with(|promises| judge(promises, &evidence, &contacts, &self.crashes));
        self.stop.now();
        for task in self.others.drain(..) {
            task.abort();
        }
        Ok((verdict, rested))
    }

    async fn stop_makers(&mut self) {
        self.stop.makers();
        let offices = self.others.drain(..OFFICES.0.min(self.others.len()));
        let makers = self.reporters.drain(..).chain(offices).collect();
        self.hear(makers).await;
    }

    /// Waits for the end of each, and notes why somebody gave up.
    async fn hear(&self, tasks: Vec<JoinHandle<Outcome<()>>>) {
        for task in tasks {
            let ended = task.await.unwrap_or_else(|error| Err(error.into()));
            if let Err(trouble) = ended {
                self.houses.ledger.surprise(trouble.text().to_owned());
            }
        }
    }
}

fn hosts(form: Form, register: &Register) -> (Hosts, Option<String>) {
    if form == Form::Plain {
        return (Hosts::loopback(), Some("not asked for".to_owned()));
    }
    match Hosts::namespaces(register) {
        Ok(hosts) => (hosts, None),
        Err(trouble) => (Hosts::loopback(), Some(trouble.text().to_owned())),
    }
}

/// Carries connections from the loopback of each host to the receivers on this machine's: without certificates, they may
/// be nowhere else.
fn carry(
    plan: &Plan,
    receivers: &Receivers,
    folder: &Path,
    register: &Register,
) -> Outcome<Vec<JoinHandle<Outcome<()>>>> {
    let Some(outside) = plan.hosts.outside() else { return Ok(Vec::new()) };
    let sinks = [receivers.mail.address(), receivers.sms.address(), receivers.webhook.address()];
    let at_outside = |mut address: std::net::SocketAddr| {
        address.set_ip(outside);
        address
    };
    let carriers = sinks.map(|sink| tokio::spawn(Forward { from: at_outside(sink), to: sink }.carry()));
    std::fs::create_dir_all(logs(folder))?;
    for host in 0..PROCESSES {
        let name = format!("carrier-{}", host + 1);
        let mut command = plan.hosts.prefix(host);
        command.extend([std::env::current_exe()?.display().to_string(), "forward".to_owned()]);
        command.extend(sinks.map(|sink| Forward { from: sink, to: at_outside(sink) }.to_string()));
        let launch = Launch {
            output: logs(folder).join(format!("{name}.out")),
            log: logs(folder).join(format!("{name}.err")),
            name,
            command,
            environment: Vec::new(),
            end: End::Server,
        };
        // It is ended by the register; nobody asks how it is.
        Process::start(launch, register)?;
    }
    Ok(carriers.into())
}

/// Which service a process of a service belongs to.
pub fn service_of(process: usize) -> &'static str {
    SERVICES.get(process / PROCESSES).copied().unwrap_or_default()
}

/// The moments around a fault, with the time that a message may still be on its way.
pub fn crash(from: Instant, until: Instant) -> Crash {
    Crash { from, until: until + Duration::from_secs(2) }
}

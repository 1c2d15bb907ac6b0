//! How each fault is made, lifted and looked at: after each, a new report must come through.

use std::fs;
use std::time::{Duration, Instant};

use rand::Rng as _;
use rustix::process::Signal;
use tocsin_tests::{Outcome, Trouble};

use super::disk;
use super::plan::{Fault, Kind};
use super::trial::{Trial, crash, service_of};
use crate::hosts::HOSTS;
use crate::ledger::reporters::probe;
use crate::postgres;
use crate::settings::PROCESSES;

/// How long a report may take to come through after a fault was lifted.
const RECOVER_LIMIT: Duration = Duration::from_secs(90);
/// The longest that a killed process stays dead.
const DEAD_MS_MAX: u64 = 600;
/// The longest that PostgreSQL may take to cut everything off.
const CUT_OFF_LIMIT: Duration = Duration::from_secs(20);
/// After a cut of the network a sender may find its lease ended before it can record what it sent.
const LEASE: Duration = Duration::from_secs(40);

/// What a fault came to.
struct Made {
    /// When it was lifted, or made when it needs no lifting.
    lifted: Instant,
    killed: usize,
}

impl Trial {
    /// Makes a fault, waits until a new report comes through, and notes how long that took.
    pub async fn make(&mut self, fault: &Fault, tell: &dyn Fn(&str)) -> Outcome<()> {
        if let Some(why) = self.impossible(fault.kind()) {
            let row = self.rows.entry(fault.kind()).or_default();
            if row.skipped.is_none() {
                tell(&format!("skipped, {}: {why}", fault.kind()));
            }
            row.skipped = Some(why);
            return Ok(());
        }
        let (recovered, killed) = if *fault == Fault::FillSqlite {
            let filled =
                disk::embedded(self.cluster.folder(), &self.receivers, &self.report, &self.cluster.register).await?;
            (filled.recovered, 0)
        } else {
            let made = self.perform(fault).await?;
            probe(&self.houses, &self.cast.coordinator, &self.report, RECOVER_LIMIT).await?;
            (made.lifted.elapsed(), made.killed)
        };
        let row = self.rows.entry(fault.kind()).or_default();
        row.times += 1;
        row.killed += killed;
        row.recovered = row.recovered.max(recovered);
        tell(&format!("{} {}: {:.1} s", fault.kind(), self.named(fault), recovered.as_secs_f64()));
        Ok(())
    }

    fn impossible(&self, kind: Kind) -> Option<String> {
        match kind {
            Kind::Cut => self.uncut.clone(),
            Kind::FillNats | Kind::FillSqlite => self.small_disks.as_ref().err().map(|error| error.text().to_owned()),
            Kind::StepClock if self.clocks.is_none() => Some("libfaketime is not installed".to_owned()),
            _ => None,
        }
    }

    fn named(&self, fault: &Fault) -> String {
        let name = |process: &usize| self.cluster.services.get(*process).map_or("", |found| found.name()).to_owned();
        match fault {
            Fault::Kill(processes) => processes.iter().map(name).collect::<Vec<_>>().join(", "),
            Fault::KillNats(node) => (node + 1).to_string(),
            Fault::Pause { process, seconds } => format!("{} for {seconds} s", name(process)),
            Fault::Cut { host, seconds } => format!("{} for {seconds} s", host + 1),
            Fault::StepClock { process, seconds } => format!("{} by {seconds} s", name(process)),
            _ => String::new(),
        }
    }

    async fn perform(&mut self, fault: &Fault) -> Outcome<Made> {
        match fault {
            Fault::Kill(processes) => self.kill(processes).await,
            Fault::KillNats(node) => self.kill_nats(*node).await,
            Fault::Pause { process, seconds } => self.pause(*process, *seconds).await,
            Fault::RestartPostgres => self.restart_postgres().await,
            Fault::WipeNats => self.wipe_nats(),
            Fault::Cut { host, seconds } => self.cut(*host, *seconds).await,
            Fault::FillNats { seconds } => self.fill_nats(*seconds).await,
            Fault::StepClock { process, seconds } => self.step_clock(*process, *seconds),
            // Made beside the cluster, where nothing needs lifting.
            Fault::FillSqlite => Ok(Made { lifted: Instant::now(), killed: 0 }),
        }
    }

    async fn kill(&mut self, processes: &[usize]) -> Outcome<Made> {
        let killed = Instant::now();
        for &process in processes {
            self.cluster.service(process)?.kill()?;
            if service_of(process) == "notification" {
                self.crashes.push(crash(killed, Instant::now()));
            }
        }
        let dead = self.random.random_range(0..DEAD_MS_MAX);
        tokio::time::sleep(Duration::from_millis(dead)).await;
        for &process in processes {
            self.cluster.launch_again(process)?;
        }
        for &process in processes {
            self.cluster.ready(process).await?;
        }
        Ok(Made { lifted: killed, killed: processes.len() })
    }

    async fn kill_nats(&mut self, node: usize) -> Outcome<Made> {
        // Two of three must hold everything before the third may go.
        self.cluster.plan.nats.current().await?;
        let killed = Instant::now();
        self.node(node)?.kill()?;
        let dead = self.random.random_range(0..DEAD_MS_MAX);
        tokio::time::sleep(Duration::from_millis(dead)).await;
        self.start_node(node)?;
        Ok(Made { lifted: killed, killed: 1 })
    }

    async fn pause(&mut self, process: usize, seconds: u64) -> Outcome<Made> {
        self.cluster.service(process)?.signal(Signal::STOP)?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.cluster.service(process)?.signal(Signal::CONT)?;
        Ok(Made { lifted: Instant::now(), killed: 0 })
    }

    async fn restart_postgres(&mut self) -> Outcome<Made> {
        let cut = Instant::now();
        // SIGQUIT is what `pg_ctl -m immediate` sends: no session may finish, and the log is replayed at the start.
        self.cluster.postgres.end_by(Signal::QUIT, CUT_OFF_LIMIT).await?;
        self.cluster.postgres.start_again(&self.cluster.register)?;
        self.cluster.plan.postgres.ready().await?;
        Ok(Made { lifted: cut, killed: 0 })
    }

    fn wipe_nats(&mut self) -> Outcome<Made> {
        let wiped = Instant::now();
        for node in 0..HOSTS {
            self.node(node)?.kill()?;
        }
        for node in 0..HOSTS {
            let store = self.cluster.plan.nats.store(node);
            for entry in fs::read_dir(store)? {
                let path = entry?.path();
                if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
            }
            self.start_node(node)?;
        }
        Ok(Made { lifted: wiped, killed: 0 })
    }

    async fn cut(&mut self, host: usize, seconds: u64) -> Outcome<Made> {
        let cut = Instant::now();
        self.cluster.plan.hosts.cut(host)?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.cluster.plan.hosts.mend(host)?;
        let mended = Instant::now();
        // Each process of notification that lost sight of its database may have sent what it could not record.
        let blind = if host == postgres::HOST { PROCESSES } else { 1 };
        self.crashes.extend((0..blind).map(|_| crash(cut, mended + LEASE)));
        Ok(Made { lifted: mended, killed: 0 })
    }

    async fn fill_nats(&mut self, seconds: u64) -> Outcome<Made> {
        let stores: Vec<_> = (0..HOSTS).map(|node| self.cluster.plan.nats.store(node)).collect();
        for store in &stores {
            disk::fill(store)?;
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        for store in &stores {
            disk::free(store)?;
        }
        let freed = Instant::now();
        // A node that had a full disk refuses its streams until it is restarted; Tocsin is not.
        for node in 0..HOSTS {
            self.node(node)?.kill()?;
            self.start_node(node)?;
        }
        Ok(Made { lifted: freed, killed: 0 })
    }

    fn step_clock(&mut self, process: usize, seconds: i64) -> Outcome<Made> {
        let name = self.cluster.service(process)?.name().to_owned();
        if let Some(clocks) = &self.clocks {
            clocks.set(&name, seconds)?;
        }
        Ok(Made { lifted: Instant::now(), killed: 0 })
    }

    fn node(&mut self, node: usize) -> Outcome<&mut crate::process::Process> {
        self.cluster.nats.get_mut(node).ok_or_else(|| Trouble::new("there is no such node"))
    }

    fn start_node(&mut self, node: usize) -> Outcome<()> {
        let found = self.cluster.nats.get_mut(node).ok_or_else(|| Trouble::new("there is no such node"))?;
        found.start_again(&self.cluster.register)
    }
}

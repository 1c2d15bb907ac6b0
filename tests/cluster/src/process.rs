//! One member of the cluster as a process: started in a session of its own, noted in the register, killed, paused or
//! asked to end by its own number.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tocsin_tests::{Outcome, Trouble};

use crate::register::{End, Register};

const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// How much of a log is shown when something fails.
const SHOWN_LINES: usize = 15;

/// How a member is started, again and again in the same way.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Its name in the cluster, as `intake-1`.
    pub name: String,
    /// The command with what stands before it: a namespace, a user.
    pub command: Vec<String>,
    /// Added to its environment.
    pub environment: Vec<(String, String)>,
    /// Where standard output goes.
    pub output: PathBuf,
    /// Where standard error goes.
    pub log: PathBuf,
    /// How it is ended at last.
    pub end: End,
}

/// A member that runs, or ran.
#[derive(Debug)]
pub struct Process {
    /// How it was started.
    pub launch: Launch,
    child: Child,
}

impl Process {
    /// Starts it. It may not be ready yet.
    pub fn start(launch: Launch, register: &Register) -> Outcome<Self> {
        let append = |path: &PathBuf| OpenOptions::new().create(true).append(true).open(path);
        // A session of its own: Ctrl-C at the terminal reaches only whoever started it, and closing the terminal nobody.
        let mut command = Command::new("setsid");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TOCSIN_")) {
            command.env_remove(name);
        }
        command.args(&launch.command).envs(launch.environment.iter().cloned()).stdin(Stdio::null());
        command.stdout(append(&launch.output)?).stderr(append(&launch.log)?);
        let child = command.spawn().map_err(|error| Trouble::from(error).during(&launch.name))?;
        register.note(&launch.name, child.id(), launch.end)?;
        Ok(Self { launch, child })
    }

    /// Starts it again after it ended.
    pub fn start_again(&mut self, register: &Register) -> Outcome<()> {
        *self = Self::start(self.launch.clone(), register)?;
        Ok(())
    }

    /// Its name in the cluster.
    pub fn name(&self) -> &str {
        &self.launch.name
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Outcome<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Outcome<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.ok_or_else(|| Trouble::new("the process has no number"))?, signal)?)
    }

    /// Sends a signal and waits for the end; returns how and after which time it ended.
    pub async fn end_by(&mut self, signal: Signal, limit: Duration) -> Outcome<(ExitStatus, Duration)> {
        let asked = Instant::now();
        self.signal(signal)?;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok((status, asked.elapsed()));
            }
            if asked.elapsed() > limit {
                return Err(Trouble::new(format!("{} does not end\n{}", self.name(), self.tail())));
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// The end of its log.
    pub fn tail(&self) -> String {
        let text = std::fs::read(&self.launch.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let skipped = lines.len().saturating_sub(SHOWN_LINES);
        format!("--- {}\n{}", self.launch.log.display(), lines.get(skipped..).unwrap_or_default().join("\n"))
    }
}

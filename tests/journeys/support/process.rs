//! A running `tocsin`: started, awaited, killed or asked to stop, always by its own process id.

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::installation::{Installation, SERVICES};
use crate::program::binary;
use crate::{Outcome, Trouble};

/// How long a start may take on a busy machine of two cores.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long a stop may take: the drain's own limit and a little more.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// The variable that names where a process dies.
pub const FAIL_POINTS: &str = "FAILPOINTS";
/// How many lines of a log are shown when a journey fails.
const SHOWN_LINES: usize = 40;

/// A process of ours. It is killed when dropped; its log goes to the test's output then, which is shown on failure.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    log: PathBuf,
    ready: Vec<SocketAddr>,
}

impl Running {
    /// Starts `tocsin up`. It is not ready yet.
    pub fn up(installation: &Installation) -> Outcome<Self> {
        let ready = installation.doors.all().map(|(_, door)| door.http).to_vec();
        Self::start(installation, "up", &["up"], ready)
    }

    /// Starts `tocsin up`, or `tocsin serve` for a service of that name, to die at a place of
    /// `tocsin_platform::fail_points`; nowhere for an empty one. It is not ready yet.
    pub fn mortal(installation: &Installation, name: &str, fail_points: &str) -> Outcome<Self> {
        let doors = installation.doors.all().into_iter().filter(|(service, _)| name == "up" || name == *service);
        let ready = doors.map(|(_, door)| door.http).collect();
        let arguments: &[&str] = if name == "up" { &["up"] } else { &["serve", name] };
        Self::start_with(installation, name, arguments, ready, fail_points)
    }

    /// Starts `tocsin serve` for one service. It is not ready yet.
    pub fn serve(installation: &Installation, service: &str) -> Outcome<Self> {
        let ready = installation
            .doors
            .all()
            .into_iter()
            .filter(|(name, _)| *name == service)
            .map(|(_, door)| door.http)
            .collect();
        Self::start(installation, service, &["serve", service], ready)
    }

    /// Starts `tocsin serve` for each service at once and waits until all are ready.
    pub async fn all(installation: &Installation) -> Outcome<Vec<(&'static str, Self)>> {
        let mut running = Vec::new();
        for service in SERVICES {
            running.push((service, Self::serve(installation, service)?));
        }
        for (_, process) in &mut running {
            process.ready().await?;
        }
        Ok(running)
    }

    fn start(installation: &Installation, name: &str, arguments: &[&str], ready: Vec<SocketAddr>) -> Outcome<Self> {
        Self::start_with(installation, name, arguments, ready, "")
    }

    fn start_with(
        installation: &Installation,
        name: &str,
        arguments: &[&str],
        ready: Vec<SocketAddr>,
        fail_points: &str,
    ) -> Outcome<Self> {
        std::fs::create_dir_all(installation.logs())?;
        let log = installation.logs().join(format!("{name}.err"));
        let mut command = command(&installation.settings())?;
        command.args(arguments).stdin(Stdio::null());
        if !fail_points.is_empty() {
            command.env(FAIL_POINTS, fail_points);
        }
        command.stdout(append(&installation.logs().join(format!("{name}.out")))?).stderr(append(&log)?);
        Ok(Self { child: command.spawn()?, name: name.to_owned(), log, ready })
    }

    /// Waits until every service of the process is ready.
    pub async fn ready(&mut self) -> Outcome<()> {
        let client = http()?;
        let started = Instant::now();
        for door in self.ready.clone() {
            loop {
                if let Some(status) = self.child.try_wait()? {
                    return Err(Trouble::new(format!(
                        "{} ended with {status} before it was ready\n{}",
                        self.name,
                        self.tail()
                    )));
                }
                let answer = client.get(format!("http://{door}/readyz")).timeout(Duration::from_secs(5)).send().await;
                match answer {
                    Ok(answer) if answer.status().is_success() => break,
                    _ if started.elapsed() > START_LIMIT => {
                        let told = match answer {
                            Ok(answer) => answer.text().await.unwrap_or_default(),
                            Err(error) => error.to_string(),
                        };
                        return Err(Trouble::new(format!("{} is not ready: {told}\n{}", self.name, self.tail())));
                    }
                    _ => tokio::time::sleep(Duration::from_millis(25)).await,
                }
            }
        }
        Ok(())
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Outcome<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for the orderly end.
    pub async fn stop(&mut self) -> Outcome<ExitStatus> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or_else(|| Trouble::new("the process has no id"))?, Signal::TERM)?;
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if started.elapsed() > STOP_LIMIT {
                return Err(Trouble::new(format!("{} does not end after SIGTERM\n{}", self.name, self.tail())));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// The end of its log.
    pub fn tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let skipped = lines.len().saturating_sub(SHOWN_LINES);
        format!("--- the end of {}\n{}", self.log.display(), lines.get(skipped..).unwrap_or_default().join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The test harness shows this only when the test fails.
        eprintln!("{}", self.tail());
    }
}

/// `tocsin --config FILE`, without any setting from the environment of the tests.
pub fn command(settings: &Path) -> Outcome<Command> {
    let mut command = Command::new(binary()?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TOCSIN_")) {
        command.env_remove(name);
    }
    command.arg("--config").arg(settings).env("NO_COLOR", "1");
    Ok(command)
}

/// An HTTP client that ignores proxies.
pub fn http() -> Outcome<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build()?)
}

/// Tries until `look` finds something; the error says what was awaited.
pub async fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Outcome<Option<T>>,
) -> Outcome<T> {
    let started = Instant::now();
    loop {
        let found = look().await;
        match found {
            Ok(Some(found)) => return Ok(found),
            Ok(None) if started.elapsed() > limit => {
                return Err(Trouble::new(format!("waited {limit:?} in vain: {what}")));
            }
            Err(trouble) if started.elapsed() > limit => return Err(trouble.during(what)),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn append(path: &Path) -> Outcome<File> {
    Ok(OpenOptions::new().create(true).append(true).open(path)?)
}

/// The first key in what a process printed.
fn key_in(text: &str) -> Option<String> {
    let start = text.find("tcs_")?;
    let rest = text.get(start..)?;
    let end = rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '_').unwrap_or(rest.len());
    rest.get(..end).map(str::to_owned)
}

/// The key that the first start prints, a moment after its doors have opened.
pub async fn bootstrap_key(installation: &Installation) -> Outcome<String> {
    first_key(&installation.logs()).await
}

/// The same, where standard output of all processes is kept in this folder.
pub async fn first_key(logs: &Path) -> Outcome<String> {
    wait_until("a process prints the first key", START_LIMIT, async || {
        for entry in std::fs::read_dir(logs)? {
            let text = std::fs::read(entry?.path())?;
            // A key that is only half written yet has no end of line after it.
            let whole = if text.ends_with(b"\n") { text } else { Vec::new() };
            if let Some(key) = key_in(&String::from_utf8_lossy(&whole)) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    })
    .await
}

//! An installation as `deploy/` makes it: secrets from `deploy/prepare`, the settings of `deploy/settings`, a process
//! for each service with nothing but its own secrets.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tocsin_platform::testing::PostgresServer;
use tocsin_tests::clients::Clients;
use tocsin_tests::deployed::{Deployed, Places, replace, settings_at};
use tocsin_tests::installation::{Doors, SERVICES};
use tocsin_tests::process::{command, first_key, wait_until};
use tocsin_tests::receivers::Receivers;
use tocsin_tests::stage::roster;
use tocsin_tests::tools::run;
use tocsin_tests::trouble::ensure;
use tocsin_tests::{Outcome, Trouble};
use tonic::transport::Endpoint;

use super::servers::{self, Nats};

const START_LIMIT: Duration = Duration::from_mins(1);
/// The drain's own limit and a little more.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Everything, running.
pub(super) struct House {
    processes: Vec<(&'static str, Child)>,
    doors: Doors,
    pub(super) nats: Nats,
    _postgresql: PostgresServer,
    folder: TempDir,
}

impl House {
    /// Makes the secrets, starts PostgreSQL and NATS, then the four services together.
    pub(super) async fn start(receivers: &Receivers) -> Outcome<Self> {
        let folder = TempDir::with_prefix("tocsin-roles-")?;
        let made = folder.path().join("installation");
        let mut postgresql = PostgresServer::prepare().await;
        let mut prepare = Deployed::command(&made)?;
        prepare.env("DATABASE_HOST", "127.0.0.1").env("DATABASE_PORT", postgresql.port().to_string());
        run(&mut prepare)?;
        ensure(run(&mut prepare).is_err(), || "secrets were made over others".to_owned())?;
        let deployed = Deployed::in_folder(&made);
        servers::postgresql(&mut postgresql, &deployed)?;
        servers::roles(&postgresql, &deployed).await?;
        let nats = Nats::start(&folder.path().join("nats"), &deployed).await?;
        let doors = Doors::free()?;
        let mut house = Self { processes: Vec::new(), doors, nats, _postgresql: postgresql, folder };
        std::fs::create_dir(house.logs())?;
        for service in SERVICES {
            house.deployed().lay_out_secrets(service, &house.secrets(service))?;
            house.write_settings(service, receivers)?;
            house.start_service(service)?;
        }
        for service in SERVICES {
            wait_until(&format!("{service} is healthy"), START_LIMIT, async || house.health(service).map(Some)).await?;
        }
        Ok(house)
    }

    /// Where `deploy/prepare` put everything.
    pub(super) fn made(&self) -> PathBuf {
        self.folder.path().join("installation")
    }

    /// What one service finds instead of `/run/secrets`.
    pub(super) fn secrets(&self, service: &str) -> PathBuf {
        self.folder.path().join("secrets").join(service)
    }

    fn deployed(&self) -> Deployed {
        Deployed::in_folder(&self.made())
    }

    /// The settings of `deploy/`, with the places of this machine and its one server of NATS.
    fn write_settings(&self, service: &str, receivers: &Receivers) -> Outcome<()> {
        let authority = self.folder.path().join("receivers.pem");
        std::fs::write(&authority, receivers.authority_pem())?;
        let (secrets, data) = (self.secrets(service), self.folder.path().join("data"));
        let places = Places { secrets: &secrets, data: &data, nats: &self.nats_url(), doors: &self.doors };
        let mut text = replace(&settings_at(&places)?, "replicas = 3", "replicas = 1")?;
        text.push_str(&receivers.settings(&authority));
        text.push_str(&roster());
        Ok(std::fs::write(self.settings(service), text)?)
    }

    fn settings(&self, service: &str) -> PathBuf {
        self.folder.path().join(format!("{service}.toml"))
    }

    fn start_service(&mut self, service: &'static str) -> Outcome<()> {
        let file = |end: &str| std::fs::File::create(self.logs().join(format!("{service}.{end}")));
        let mut command = command(&self.settings(service))?;
        command.args(["serve", service]).stdin(Stdio::null()).stdout(file("out")?).stderr(file("err")?);
        self.processes.push((service, command.spawn()?));
        Ok(())
    }

    /// Asks as the compose file does.
    fn health(&self, service: &str) -> Outcome<()> {
        let said = run(command(&self.settings(service))?.args(["health", service]));
        said.map(|_| ())
            .map_err(|trouble| Trouble::new(format!("{}\n{}", trouble.text(), self.log(service).unwrap_or_default())))
    }

    /// Where standard output and standard error of all services are kept.
    fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    /// What a service has logged.
    pub(super) fn log(&self, service: &str) -> Outcome<String> {
        Ok(std::fs::read_to_string(self.logs().join(format!("{service}.err")))?)
    }

    /// The key that triage printed at its first start.
    pub(super) async fn first_key(&self) -> Outcome<String> {
        first_key(&self.logs()).await
    }

    /// Where NATS is.
    pub(super) fn nats_url(&self) -> String {
        format!("nats://{}", self.nats.address)
    }

    /// A client of the HTTPS doors.
    pub(super) fn web(&self) -> Outcome<reqwest::Client> {
        Ok(self.deployed().web()?.timeout(Duration::from_secs(30)).build()?)
    }

    /// The HTTPS door of a service.
    pub(super) fn web_address(&self, service: &str) -> Outcome<String> {
        let found = self.doors.all().into_iter().find(|(name, _)| *name == service);
        let (_, door) = found.ok_or_else(|| Trouble::new(format!("{service} has no door")))?;
        Ok(format!("https://{}", door.http))
    }

    /// Clients with the certificate of people and programs.
    pub(super) fn clients(&self) -> Outcome<Clients> {
        let tls = self.deployed().tls()?;
        Clients::over(&self.doors, |door| {
            let endpoint = Endpoint::from_shared(format!("https://{}", door.grpc))?;
            Ok(endpoint.tls_config(tls.clone())?.connect_lazy())
        })
    }

    /// Ends the services in order, each within its time.
    pub(super) async fn stop(&mut self) -> Outcome<()> {
        for (service, child) in &mut self.processes {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            kill_process(pid.ok_or_else(|| Trouble::new("the process has no id"))?, Signal::TERM)?;
            let started = Instant::now();
            let status = loop {
                match child.try_wait()? {
                    Some(status) => break status,
                    None if started.elapsed() > STOP_LIMIT => {
                        return Err(Trouble::new(format!("{service} does not end after SIGTERM")));
                    }
                    None => tokio::time::sleep(Duration::from_millis(25)).await,
                }
            };
            ensure(status.success(), || format!("{service} ended with {status}"))?;
        }
        Ok(())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let logs = self.logs();
        for (service, child) in &mut self.processes {
            let _ = child.kill();
            let _ = child.wait();
            // The test harness shows this only when the test fails.
            let log = std::fs::read_to_string(logs.join(format!("{service}.err"))).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let shown = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default();
            eprintln!("--- the end of {service}'s log\n{}", shown.join("\n"));
        }
    }
}

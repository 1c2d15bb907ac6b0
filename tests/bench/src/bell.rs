//! The product under measurement: the real `tocsin up` as a process of its own, or four of `tocsin serve` with a real
//! broker and a real PostgreSQL that syncs, with a network, keys and receivers.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};
use tocsin_platform::testing::{NatsServer, PostgresServer};
use tocsin_tests::cast::Cast;
use tocsin_tests::clients::Clients;
use tocsin_tests::installation::Installation;
use tocsin_tests::network::Network;
use tocsin_tests::process::{Running, bootstrap_key, http};
use tocsin_tests::receivers::Receivers;
use tocsin_tests::scenario::Scenario;
use tocsin_tests::walk::{Office, submit};
use tocsin_tests::{Outcome, Trouble};

use crate::hooks::Hooks;
use crate::ledger::Ledger;

/// Logging is not what is measured.
const QUIET: &str = "\n[telemetry]\nlevel = \"error\"\n";

/// How a bell is hung, beyond its network.
#[derive(Default)]
pub(crate) struct Hanging<'a> {
    /// Further settings.
    pub(crate) settings: &'a str,
    /// Another mail server.
    pub(crate) mail_at: Option<SocketAddr>,
    /// Further lines of the section of e-mail.
    pub(crate) mail_settings: &'a str,
    /// Another SMS gateway, as a section of the settings.
    pub(crate) sms_gateway: Option<String>,
    /// The receiver for load instead of the one that keeps everything.
    pub(crate) with_hooks: bool,
    /// Webhook hosts that are somewhere else.
    pub(crate) elsewhere: Vec<(String, SocketAddr)>,
}

/// A running installation with everything that rings it.
pub(crate) struct Bell {
    pub(crate) installation: Installation,
    pub(crate) receivers: Receivers,
    pub(crate) clients: Clients,
    pub(crate) cast: Cast,
    hooks: Option<Hooks>,
    scenario: Scenario,
    http: reqwest::Client,
    /// One for `up`, four for `serve`.
    processes: Vec<Running>,
    /// What services apart meet in; after the processes, so that it ends after them.
    _servers: Option<(NatsServer, PostgresServer)>,
}

/// An alert that two people have approved and nobody has released yet.
pub(crate) struct Approved<'a> {
    office: Office<'a>,
}

impl Bell {
    /// Starts the embedded form on an empty folder and imports the network.
    pub(crate) async fn hang(network: Value) -> Result<Self> {
        Self::hang_as(network, Hanging::default()).await
    }

    /// The same with something else in its place.
    pub(crate) async fn hang_as(network: Value, hanging: Hanging<'_>) -> Result<Self> {
        Box::pin(Self::together(Network(network), hanging)).await.map_err(|trouble| anyhow!("{}", trouble.text()))
    }

    /// The same in the distributed form.
    pub(crate) async fn hang_apart(network: Value) -> Result<Self> {
        Box::pin(Self::apart(Network(network))).await.map_err(|trouble| anyhow!("{}", trouble.text()))
    }

    async fn together(network: Network, hanging: Hanging<'_>) -> Outcome<Self> {
        let mut receivers = Receivers::start(network.webhook_hosts()).await?.with_mail_settings(hanging.mail_settings);
        let mut hooks = None;
        if hanging.with_hooks {
            let started = Hooks::start(receivers.tls()).await.map_err(|error| Trouble::new(error.to_string()))?;
            receivers = receivers.with_webhooks_at("*", started.address);
            hooks = Some(started);
        }
        if let Some(address) = hanging.mail_at {
            receivers = receivers.with_mail_at(address);
        }
        if let Some(section) = hanging.sms_gateway {
            receivers = receivers.with_sms_gateway(section);
        }
        for (host, address) in hanging.elsewhere {
            receivers = receivers.with_webhooks_at(&host, address);
        }
        let installation = Installation::embedded(&receivers, &format!("{QUIET}{}", hanging.settings))?;
        let mut process = Running::up(&installation)?;
        process.ready().await?;
        let mut bell = Box::pin(Self::ready(network, receivers, installation, vec![process], None)).await?;
        bell.hooks = hooks;
        Ok(bell)
    }

    async fn apart(network: Network) -> Outcome<Self> {
        let (broker, database) = (NatsServer::start(), PostgresServer::durable().await);
        let receivers = Receivers::start(network.webhook_hosts()).await?;
        let address = database.create_database().await;
        let installation = Installation::distributed(&receivers, &address, &broker.url(), QUIET)?;
        let processes = Running::all(&installation).await?.into_iter().map(|(_, process)| process).collect();
        Box::pin(Self::ready(network, receivers, installation, processes, Some((broker, database)))).await
    }

    async fn ready(
        network: Network,
        receivers: Receivers,
        installation: Installation,
        processes: Vec<Running>,
        servers: Option<(NatsServer, PostgresServer)>,
    ) -> Outcome<Self> {
        let clients = Clients::of(&installation.doors)?;
        let administrator = bootstrap_key(&installation).await?;
        network.import(&clients, &administrator, &[]).await?;
        let cast = Cast::assemble(&clients, &administrator).await?;
        let scenario = Scenario::for_today()?;
        let http = http()?;
        Ok(Self { installation, receivers, clients, cast, hooks: None, scenario, http, processes, _servers: servers })
    }

    /// Walks a P1 report to the gate.
    pub(crate) async fn approve(&self) -> Result<Approved<'_>> {
        self.walk(&self.scenario).await.map_err(|trouble| anyhow!("{}", trouble.text()))
    }

    /// Walks a report about this country to the gate, of which nothing is urgent: a P4 alert for the bulk lane.
    pub(crate) async fn approve_bulk(&self, country: &str) -> Result<Approved<'_>> {
        let mut scenario = self.scenario.clone();
        scenario.0["report"]["country"] = country.into();
        scenario.0["assessment"]["factors"] = json!({});
        self.walk(&scenario).await.map_err(|trouble| anyhow!("{}", trouble.text()))
    }

    async fn walk(&self, scenario: &Scenario) -> Outcome<Approved<'_>> {
        let accepted = submit(&self.http, &self.installation.doors, scenario.report()).await?;
        let office = Office::of(&self.clients, &self.cast, &accepted.report_id).await?;
        office.prepare(scenario).await?;
        office.draft_and_approve(scenario.draft()).await?;
        Ok(Approved { office })
    }

    /// The receiver for load that it was hung with.
    pub(crate) fn hooks(&self) -> Result<&Hooks> {
        self.hooks.as_ref().context("the bell was hung without the receiver for load")
    }

    /// What notification writes down.
    pub(crate) async fn ledger(&self) -> Result<Ledger> {
        Ledger::open(&self.installation.data()).await
    }

    /// The most memory that the process has held so far, in MiB, as the kernel counts it.
    pub(crate) fn peak_memory_mib(&self) -> Result<f64> {
        self.memory_mib("VmHWM:")
    }

    /// The memory that the process holds now, in MiB.
    pub(crate) fn present_memory_mib(&self) -> Result<f64> {
        self.memory_mib("VmRSS:")
    }

    fn memory_mib(&self, field: &str) -> Result<f64> {
        let process = self.processes.first().context("a process")?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    }
}

impl Approved<'_> {
    /// Releases it; returns the moment at which the release was durable.
    pub(crate) async fn release(&self) -> Result<Instant> {
        let answer = self.office.ask_release(false).await.map_err(|trouble| anyhow!("{}", trouble.text()))?;
        let durable = Instant::now();
        anyhow::ensure!(answer.released, "the gate refused: {:?}", answer.refusals);
        Ok(durable)
    }

    /// Stops the action: what still waits is withdrawn.
    pub(crate) async fn stop(&self) -> Result<()> {
        self.office.stop("the benchmark goes on").await.map_err(|trouble| anyhow!("{}", trouble.text()))
    }
}

//! The product under measurement: the real `tocsin up` as a process of its own, or four of `tocsin serve` with a real
//! broker and a real PostgreSQL that syncs, with a network, keys and receivers.

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};
use tocsin_platform::testing::{NatsServer, PostgresServer};
use tocsin_tests::Outcome;
use tocsin_tests::cast::Cast;
use tocsin_tests::clients::Clients;
use tocsin_tests::installation::Installation;
use tocsin_tests::network::Network;
use tocsin_tests::process::{Running, bootstrap_key, http};
use tocsin_tests::receivers::Receivers;
use tocsin_tests::scenario::Scenario;
use tocsin_tests::walk::{Office, submit};

/// Logging is not what is measured.
const QUIET: &str = "\n[telemetry]\nlevel = \"error\"\n";

/// A running installation with everything that rings it.
pub(crate) struct Bell {
    pub(crate) installation: Installation,
    pub(crate) receivers: Receivers,
    pub(crate) clients: Clients,
    pub(crate) cast: Cast,
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
    /// Starts the embedded form on an empty folder and imports the network. `further` is added to the settings.
    pub(crate) async fn hang(network: Value, further: &str) -> Result<Self> {
        Box::pin(Self::together(Network(network), further)).await.map_err(|trouble| anyhow!("{}", trouble.text()))
    }

    /// The same in the distributed form.
    pub(crate) async fn hang_apart(network: Value) -> Result<Self> {
        Box::pin(Self::apart(Network(network))).await.map_err(|trouble| anyhow!("{}", trouble.text()))
    }

    async fn together(network: Network, further: &str) -> Outcome<Self> {
        let receivers = Receivers::start(network.webhook_hosts()).await?;
        let installation = Installation::embedded(&receivers, &format!("{QUIET}{further}"))?;
        let mut process = Running::up(&installation)?;
        process.ready().await?;
        Box::pin(Self::ready(network, receivers, installation, vec![process], None)).await
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
        Ok(Self { installation, receivers, clients, cast, scenario, http, processes, _servers: servers })
    }

    /// Walks a report to the gate.
    pub(crate) async fn approve(&self) -> Result<Approved<'_>> {
        self.walk().await.map_err(|trouble| anyhow!("{}", trouble.text()))
    }

    async fn walk(&self) -> Outcome<Approved<'_>> {
        let accepted = submit(&self.http, &self.installation.doors, self.scenario.report()).await?;
        let office = Office::of(&self.clients, &self.cast, &accepted.report_id).await?;
        office.prepare(&self.scenario).await?;
        office.draft_and_approve(self.scenario.draft()).await?;
        Ok(Approved { office })
    }

    /// The most memory that the process has held so far, in MiB, as the kernel counts it.
    pub(crate) fn peak_memory_mib(&self) -> Result<f64> {
        let process = self.processes.first().context("a process")?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    }
}

impl Approved<'_> {
    /// Releases it; returns once the release is durable.
    pub(crate) async fn release(&self) -> Result<()> {
        let answer = self.office.ask_release(false).await.map_err(|trouble| anyhow!("{}", trouble.text()))?;
        anyhow::ensure!(answer.released, "the gate refused: {:?}", answer.refusals);
        Ok(())
    }
}

/// A network of signatory members with one contact each that has only this channel.
pub(crate) fn network_of_one_channel(members: usize, channel: &str) -> Value {
    let organisations: Vec<Value> = (1..=members)
        .map(|number| {
            let id = format!("org-{number:05}");
            let mut contact = json!({
                "id": format!("{id}-c1"), "role": "delegate", "language": "en", "time_zone": "Etc/GMT+0",
                "email": format!("alerts@{id}.example"), "channels": [channel], "quiet_hours": null,
                "urgent_overrides_quiet_hours": true,
            });
            if channel == "webhook" {
                contact["webhook"] = json!(format!("https://hooks.{id}.example/tocsin"));
            }
            json!({
                "id": id, "name": format!("Member {number}"), "country": "XB", "region": "africa",
                "kind": "signatory_member", "language": "en", "clearance": "AMBER", "groups": [],
                "subscription": { "regions": [], "groups": [], "minimum_priority": "p4", "never_auto_sign_countries": [] },
                "contacts": [contact],
            })
        })
        .collect();
    json!({ "organisations": organisations })
}

//! Everything that a journey starts from: receivers, an installation on which `tocsin up` runs, a network that has been
//! imported, and people with keys.

use serde_json::Value;
use tocsin_proto::triage::v1::ReleaseAlertResponse;

use crate::Outcome;
use crate::cast::Cast;
use crate::clients::Clients;
use crate::installation::Installation;
use crate::network::{Network, staff};
use crate::process::{Running, bootstrap_key, http};
use crate::receivers::Receivers;
use crate::scenario::Scenario;
use crate::walk::{Accepted, Office, submit};

/// The contacts that are paged.
pub const DUTY_ROSTER: [&str; 2] = ["staff-duty-1", "staff-duty-2"];

/// A running installation with everybody in it. The process ends when this is dropped.
pub struct Stage {
    /// `tocsin up`; first, so that it ends before what it runs on.
    pub process: Running,
    /// The folder that it runs on.
    pub installation: Installation,
    /// The world outside.
    pub receivers: Receivers,
    /// Clients of all doors.
    pub clients: Clients,
    /// People with keys.
    pub cast: Cast,
    /// The network as imported.
    pub network: Network,
    /// For the JSON doors.
    pub http: reqwest::Client,
}

impl Stage {
    /// Starts everything. `further` is added to the settings file.
    pub async fn raise(network: Network, further: &str) -> Outcome<Self> {
        let receivers = Receivers::start(network.webhook_hosts()).await?;
        let installation = Installation::embedded(&receivers, &format!("{}{further}", roster()))?;
        let mut process = Running::up(&installation)?;
        process.ready().await?;
        let clients = Clients::of(&installation.doors)?;
        let cast = people(&clients, &bootstrap_key(&installation).await?, &network).await?;
        Ok(Self { process, installation, receivers, clients, cast, network, http: http()? })
    }

    /// Submits a report with a fresh idempotency key.
    pub async fn submit(&self, report: &Value) -> Outcome<Accepted> {
        submit(&self.http, &self.installation.doors, report).await
    }

    /// The office at work on the case of a report.
    pub async fn office(&self, accepted: &Accepted) -> Outcome<Office<'_>> {
        Office::of(&self.clients, &self.cast, &accepted.report_id).await
    }

    /// Walks a scenario from the reporter to a release.
    pub async fn release(&self, scenario: &Scenario) -> Outcome<ReleaseAlertResponse> {
        let accepted = self.submit(scenario.report()).await?;
        self.office(&accepted).await?.release(scenario).await
    }

    /// Starts the process again on the same folder and waits until it is ready.
    pub async fn start_again(&mut self) -> Outcome<()> {
        self.process = Running::up(&self.installation)?;
        self.process.ready().await
    }
}

/// The setting that names the duty officers.
pub fn roster() -> String {
    format!("\n[triage]\nduty_roster = {DUTY_ROSTER:?}\n")
}

/// Imports the network and gives everybody a key.
pub async fn people(clients: &Clients, administrator: &str, network: &Network) -> Outcome<Cast> {
    let cast = Cast::assemble(clients, administrator).await?;
    let contacts: Vec<_> = DUTY_ROSTER.into_iter().chain(["staff-coordinator"]).map(staff).collect();
    network.import(clients, administrator, &contacts).await?;
    Ok(cast)
}

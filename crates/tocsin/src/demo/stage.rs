//! The stage of the demo: a folder, the receivers, and the four services in this process.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::Settings;
use tocsin_platform::grpc;
use tocsin_platform::lifecycle::signalled;
use tocsin_proto::dispatch::v1::{ImportOrganisationsRequest, organisation_service_client::OrganisationServiceClient};
use tocsin_proto::notification::v1::{ImportContactsRequest, contact_service_client::ContactServiceClient};
use tonic::transport::Channel;

use super::DemoError;
use super::cast::{Cast, DUTY_ROSTER, Player, bearing, staff_contacts};
use super::receivers::Receivers;
use super::tell::Tell;
use super::walk::Walked;
use crate::assembly::{DoorAddresses, Doors, Running};
use crate::files::network::Network;
use crate::files::scenario::Scenario;

/// Everything that runs while the demo plays.
pub(super) struct Stage {
    pub(super) receivers: Receivers,
    pub(super) clock: Clock,
    pub(super) intake_http: String,
    pub(super) dispatch_url: String,
    /// A connection to triage.
    pub(super) triage: Channel,
    /// A connection to dispatch.
    pub(super) dispatch: Channel,
    notification: Channel,
    folder: PathBuf,
    administrator: Player,
    services: Running,
    temporary: Option<TempDir>,
}

/// Organisations or contacts in one import request.
const IMPORT_BATCH: usize = 500;

impl Stage {
    /// Starts the receivers and the services, with a clock that begins when the scenario's report was written.
    pub(super) async fn build(
        scenario: &Scenario,
        network: &Network,
        folder: Option<&Path>,
        tell: Tell,
    ) -> Result<Self, DemoError> {
        let temporary = match folder {
            Some(_) => None,
            None => Some(TempDir::with_prefix("tocsin-demo-").map_err(DemoError::other)?),
        };
        let folder = match (folder, &temporary) {
            (Some(folder), _) => folder.to_owned(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => PathBuf::from("."),
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(DemoError::other)?;
        let receivers = Receivers::start(network).await?;
        let doors = Doors::on_free_ports().await.map_err(DemoError::other)?;
        let file = settings_text(&folder, &doors, &receivers)?;
        let path = folder.join("tocsin.toml");
        std::fs::write(&path, &file).map_err(DemoError::other)?;
        let settings = Settings::from_text(&file).map_err(DemoError::other)?;
        let clock = match scenario.submitted_at() {
            Some(moment) => Clock::starting_at(moment.to_utc()),
            None => Clock::system(),
        };
        let url = |address: std::net::SocketAddr| format!("http://{address}");
        let addresses = doors.addresses().map_err(DemoError::other)?;
        let [intake, triage, dispatch, notification]: [DoorAddresses; 4] =
            addresses.try_into().map_err(|_| DemoError::Other("the four services have no doors".to_owned()))?;
        let services = Running::start(settings, clock.clone(), doors, None).await.map_err(DemoError::other)?;
        let bootstrap = services.credentials().bootstrap(|_| {}).await.map_err(DemoError::other)?;
        let Some(key) = bootstrap else {
            return Err(DemoError::Other(format!(
                "{} holds an earlier run; give --folder an empty folder",
                folder.display()
            )));
        };
        tell.line("  four services run in this process, over SQLite, with receivers on loopback");
        Ok(Self {
            receivers,
            clock,
            intake_http: url(intake.http),
            dispatch_url: url(dispatch.grpc),
            triage: channel(&url(triage.grpc))?,
            dispatch: channel(&url(dispatch.grpc))?,
            notification: channel(&url(notification.grpc))?,
            folder,
            administrator: Player { actor: "administrator".to_owned(), secret: key.secret.expose().to_owned() },
            services,
            temporary,
        })
    }

    /// Imports the network and gives everybody a key.
    pub(super) async fn cast(&self, network: &Network, tell: Tell) -> Result<Cast, DemoError> {
        let organisations = network.organisations();
        let mut office = OrganisationServiceClient::new(self.dispatch.clone());
        for batch in organisations.chunks(IMPORT_BATCH) {
            let request = ImportOrganisationsRequest { organisations: batch.to_vec() };
            office.import_organisations(bearing(&self.administrator.secret, request)?).await?;
        }
        let mut contacts = network.contacts();
        let reachable = contacts.len();
        contacts.extend(staff_contacts());
        let mut office = ContactServiceClient::new(self.notification.clone());
        for batch in contacts.chunks(IMPORT_BATCH) {
            let request = ImportContactsRequest { contacts: batch.to_vec(), only_new: false };
            office.import_contacts(bearing(&self.administrator.secret, request)?).await?;
        }
        tell.line(&format!("  imported {} organisations and {reachable} contacts, all invented", organisations.len()));
        let cast = Cast::assemble(self.triage.clone(), self.administrator.clone(), network).await?;
        tell.line("  a coordinator, a verifier, two approvers and a delegate of each organisation hold keys");
        Ok(cast)
    }

    /// Prints what can be tried by hand, and waits for Ctrl-C. `recipient` is an organisation that the alert reached.
    pub(super) async fn wait(
        &self,
        cast: &Cast,
        walked: &Walked,
        recipient: Option<&str>,
        tell: Tell,
    ) -> Result<(), DemoError> {
        let delegate = recipient.and_then(|id| cast.delegates.iter().find(|one| one.actor == format!("{id}-delegate")));
        let people = [
            ("administrator", &cast.administrator),
            ("coordinator", &cast.coordinator),
            ("verifier", &cast.verifier),
            ("approver-1", &cast.approvers[0]),
            ("approver-2", &cast.approvers[1]),
        ];
        for (name, player) in people.into_iter().chain(delegate.map(|delegate| ("delegate", delegate))) {
            write_key(&self.folder.join(format!("{name}.key")), &player.secret)?;
        }
        tell.heading("The services go on running. In another terminal:");
        for command in self.commands(walked, delegate) {
            tell.line(&format!("  {command}"));
        }
        match self.temporary {
            Some(_) => tell.line("\nCtrl-C ends the demo and removes its folder."),
            None => tell.line("\nCtrl-C ends the demo; its folder stays."),
        }
        signalled().await;
        Ok(())
    }

    /// Commands that work while the demo runs, in an order in which each does.
    fn commands(&self, walked: &Walked, delegate: Option<&Player>) -> Vec<String> {
        let folder = self.folder.display();
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("tocsin"));
        let tocsin = format!("{} --config {folder}/tocsin.toml", program.display());
        let coordinator = format!("{tocsin} --key-file {folder}/coordinator.key");
        let (case, code) = (&walked.reference, &walked.release.short_code);
        let mut commands = vec![
            format!("TOCSIN_RECEIPT=\"{}\" {tocsin} report show", walked.receipt),
            format!("{tocsin} doctor"),
            format!("{coordinator} case show {case}"),
        ];
        if let Some(delegate) = delegate {
            let reader = format!("{tocsin} --key-file {folder}/delegate.key");
            commands.push(format!("{reader} alert show {code}    # as {}", delegate.actor));
            commands.push(format!("{reader} alert ack {code}"));
        }
        if walked.release.released {
            commands.push(format!("{coordinator} alert coverage {code}"));
            commands.push(format!("{coordinator} case stop {case} --reason \"a drill of stopping\""));
        }
        commands
    }

    /// Ends the services in order.
    pub(super) async fn strike(self) -> Result<(), DemoError> {
        self.services.stop().await.map_err(DemoError::other)
    }
}

/// A lazy connection: it is made when first used.
fn channel(url: &str) -> Result<Channel, DemoError> {
    grpc::connect_with(url, None).map_err(DemoError::other)
}

/// Writes a key so that only its owner can read it.
fn write_key(path: &Path, secret: &str) -> Result<(), DemoError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(DemoError::other)?;
    writeln!(file, "{secret}").map_err(DemoError::other)
}

/// The settings of the demo as a file that the command line can use as well.
fn settings_text(folder: &Path, doors: &Doors, receivers: &Receivers) -> Result<String, DemoError> {
    let authority = folder.join("loopback-authority.pem");
    std::fs::write(&authority, &receivers.authority_pem).map_err(DemoError::other)?;
    let roster = DUTY_ROSTER.map(|contact| format!("\"{contact}\"")).join(", ");
    let doors_text = doors.settings_text().map_err(DemoError::other)?;
    let public_url = doors.public_url().map_err(DemoError::other)?;
    let (mail, sms, webhook) = (receivers.mail.address(), receivers.sms.address(), receivers.webhook.address());
    let (folder, authority) = (toml_text(folder), toml_text(&authority));
    Ok(format!(
        r#"# The settings of this demo; the command line can use them while it runs.
data_folder = {folder}
public_url = "{public_url}"
{doors_text}
[telemetry]
level = "error"

[triage]
duty_roster = [{roster}]

[notification.email]
host = "{mail_host}"
port = {mail_port}
tls = "none"

[[notification.sms.gateways]]
name = "loopback"
kind = "kannel"
url = "http://{sms}/cgi-bin/sendsms"
username = "demo"
password = "demo"

[notification.webhook]
extra_authority = {authority}

[notification.webhook.connect_to]
"*" = "{webhook}"
"#,
        mail_host = mail.ip(),
        mail_port = mail.port(),
    ))
}

/// A path as a text of TOML.
fn toml_text(path: &Path) -> String {
    serde_json::Value::from(path.display().to_string()).to_string()
}

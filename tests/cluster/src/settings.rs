//! Who listens where, and the settings file of each process: that of `deploy/settings`, with the places of this machine.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tocsin_tests::Outcome;
use tocsin_tests::deployed::{Deployed, Places, replace, settings_at};
use tocsin_tests::installation::{Door, Doors, SERVICES};
use tocsin_tests::ports::free_address;
use tocsin_tests::stage::roster;
use tocsin_tests::tools::run;

use crate::hosts::{HOSTS, Hosts};
use crate::nats::Nodes;
use crate::postgres::{self, Postgres};

/// How many processes each service has: one on each of the first two hosts.
pub const PROCESSES: usize = 2;

/// What the settings of all processes are written from.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where members live.
    pub hosts: Hosts,
    /// The nodes of NATS.
    pub nats: Nodes,
    /// The database.
    pub postgres: Postgres,
    /// Certificates, keys and passwords.
    pub deployed: Deployed,
    folder: PathBuf,
    doors: [Doors; PROCESSES],
}

impl Plan {
    /// Chooses everybody's ports, and makes certificates, keys and passwords for them.
    pub fn choose(folder: &Path, hosts: Hosts) -> Outcome<Self> {
        let at = |host: usize| -> Outcome<Doors> {
            let door = || -> Outcome<Door> {
                let address = hosts.address(host);
                let at = || Ok::<_, tocsin_tests::Trouble>(SocketAddr::new(address, free_address()?.port()));
                Ok(Door { grpc: at()?, http: at()? })
            };
            Ok(Doors { intake: door()?, triage: door()?, dispatch: door()?, notification: door()? })
        };
        let plan = Self {
            nats: Nodes::choose(folder, &hosts)?,
            postgres: Postgres::make(folder, &hosts)?,
            doors: [at(0)?, at(1)?],
            deployed: Deployed::in_folder(&folder.join("installation")),
            folder: folder.to_owned(),
            hosts,
        };
        plan.prepare()?;
        Ok(plan)
    }

    fn prepare(&self) -> Outcome<()> {
        let mut prepare = Deployed::command(self.deployed.folder())?;
        prepare.env("DATABASE_HOST", self.hosts.address(postgres::HOST).to_string());
        prepare.env("DATABASE_PORT", self.postgres.address().port().to_string()).env("NATS_HOSTS", self.nats.routes());
        run(prepare.args((0..HOSTS).map(|host| self.hosts.address(host).to_string())))?;
        for service in SERVICES {
            self.deployed.lay_out_secrets(service, &self.secrets(service))?;
        }
        Ok(())
    }

    /// What one service finds instead of `/run/secrets`.
    fn secrets(&self, service: &str) -> PathBuf {
        self.folder.join("secrets").join(service)
    }

    /// Where a host's services are.
    pub fn doors(&self, host: usize) -> Doors {
        let [first, second] = self.doors;
        if host == 0 { first } else { second }
    }

    /// The settings file of one process. `receivers` are the settings of where messages go.
    pub fn text(&self, service: &str, host: usize, receivers: &str) -> Outcome<String> {
        let doors = self.doors(host);
        let (secrets, data) = (self.secrets(service), self.folder.join("data"));
        let places = Places { secrets: &secrets, data: &data, nats: &self.nats.urls(), doors: &doors };
        // Two processes of each service share one server here.
        let text = replace(&settings_at(&places)?, "connections_max = 20", "connections_max = 8")?;
        let mut text = replace(&text, "log = \"json\"", "log = \"text\"")?;
        writeln!(text, "\n[notification.sms]\nreceipt_url = \"https://{}\"", doors.notification.http)?;
        text.push_str(receivers);
        text.push_str(&roster());
        Ok(text)
    }

    /// The settings of people at the command line: where the services are, whom to trust, and their own certificate.
    pub fn client_text(&self) -> Outcome<String> {
        let mut text = String::new();
        let file = |name: &str| self.deployed.certificate(name).display().to_string();
        for (name, door) in self.doors(0).all() {
            writeln!(
                text,
                "[services.{name}]\nurl = \"https://{}\"\n[services.{name}.tls]\ncertificate = \"{}\"\nkey = \"{}\"\n\
                 authority = \"{}\"\n",
                door.grpc,
                file("client.pem"),
                file("client.key"),
                file("authority.pem"),
            )?;
        }
        Ok(text)
    }
}

/// The name of one process of a service.
pub fn name(service: &str, host: usize) -> String {
    format!("{service}-{}", host + 1)
}

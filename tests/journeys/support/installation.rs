//! An installation in a folder of its own: a settings file, ports, data. It outlives the processes that run on it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Outcome;
use crate::ports::free_address;
use crate::receivers::Receivers;

/// The services, in the order in which a report passes through them.
pub const SERVICES: [&str; 4] = ["intake", "triage", "dispatch", "notification"];

/// Where one service listens.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// gRPC.
    pub grpc: SocketAddr,
    /// HTTP.
    pub http: SocketAddr,
}

/// Where the four services listen.
#[derive(Debug, Clone, Copy)]
pub struct Doors {
    /// Takes reports in.
    pub intake: Door,
    /// Cases and keys.
    pub triage: Door,
    /// Organisations, the feed, coverage.
    pub dispatch: Door,
    /// Contacts and notices.
    pub notification: Door,
}

impl Doors {
    /// Ports that nobody listens on.
    pub fn free() -> Outcome<Self> {
        let door = || Ok::<_, crate::Trouble>(Door { grpc: free_address()?, http: free_address()? });
        Ok(Self { intake: door()?, triage: door()?, dispatch: door()?, notification: door()? })
    }

    /// Each service with its name.
    pub fn all(&self) -> [(&'static str, Door); 4] {
        let [intake, triage, dispatch, notification] = SERVICES;
        [(intake, self.intake), (triage, self.triage), (dispatch, self.dispatch), (notification, self.notification)]
    }
}

/// A folder with a settings file, to start `tocsin` on.
#[derive(Debug)]
pub struct Installation {
    folder: TempDir,
    /// Where its services listen.
    pub doors: Doors,
}

impl Installation {
    /// An embedded installation that sends to these receivers. `further` is added to the settings file.
    pub fn embedded(receivers: &Receivers, further: &str) -> Outcome<Self> {
        Self::make(&std::env::temp_dir(), receivers, further)
    }

    /// The same inside a folder of the caller's.
    pub fn embedded_in(around: &Path, receivers: &Receivers, further: &str) -> Outcome<Self> {
        Self::make(around, receivers, further)
    }

    /// An installation on PostgreSQL and NATS, for services in processes of their own.
    pub fn distributed(receivers: &Receivers, database_url: &str, nats_url: &str, further: &str) -> Outcome<Self> {
        let shared = format!("\n[database]\nurl = {database_url:?}\n\n[bus]\nkind = \"nats\"\nurl = {nats_url:?}\n");
        Self::make(&std::env::temp_dir(), receivers, &format!("{shared}{further}"))
    }

    fn make(around: &Path, receivers: &Receivers, further: &str) -> Outcome<Self> {
        let folder = TempDir::with_prefix_in("tocsin-journey-", around)?;
        let installation = Self { folder, doors: Doors::free()? };
        let authority = installation.folder().join("receivers.pem");
        std::fs::write(&authority, receivers.authority_pem())?;
        let mut text = format!(
            "data_folder = \"{}\"\npublic_url = \"http://{}\"\n",
            installation.data().display(),
            installation.doors.dispatch.http
        );
        for (name, door) in installation.doors.all() {
            write!(text, "\n[services.{name}]\ngrpc = \"{}\"\nhttp = \"{}\"\n", door.grpc, door.http)?;
        }
        text.push_str(&receivers.settings(&authority));
        text.push_str(further);
        std::fs::write(installation.settings(), text)?;
        Ok(installation)
    }

    /// The folder around everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder of the settings.
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The settings file.
    pub fn settings(&self) -> PathBuf {
        self.folder().join("tocsin.toml")
    }

    /// Where standard output and standard error of its processes are kept.
    pub fn logs(&self) -> PathBuf {
        self.folder().join("logs")
    }

    /// Writes a file into the folder, for its owner alone, and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> Outcome<PathBuf> {
        let path = self.folder().join(name);
        let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path)?;
        file.write_all(content.as_ref())?;
        Ok(path)
    }
}

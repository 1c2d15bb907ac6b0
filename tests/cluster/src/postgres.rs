//! PostgreSQL as `deploy/postgresql` configures it, with a data folder of its own: made, started, and given the roles and
//! schemas of the services.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use tocsin_tests::Outcome;
use tocsin_tests::deployed::Deployed;
use tocsin_tests::ports::free_address;
use tocsin_tests::process::wait_until;
use tocsin_tests::tools::find_postgresql;

use crate::hosts::Hosts;
use crate::process::Launch;
use crate::programs::{User, run};
use crate::register::End;

/// The host on which it lives.
pub const HOST: usize = 2;
/// How long it may take until it accepts connections, its recovery after a crash included.
const START_LIMIT: Duration = Duration::from_mins(1);
const DATABASE: &str = "tocsin";

/// The server's place and address.
#[derive(Debug, Clone)]
pub struct Postgres {
    folder: PathBuf,
    at: SocketAddr,
}

impl Postgres {
    /// Chooses its port and makes its data folder.
    pub fn make(folder: &Path, hosts: &Hosts) -> Outcome<Self> {
        let made =
            Self { folder: folder.join("postgres"), at: SocketAddr::new(hosts.address(HOST), free_address()?.port()) };
        fs::create_dir_all(&made.folder)?;
        let user = User::ordinary()?;
        user.give(&made.folder)?;
        let (data, initdb) = (made.data(), find_postgresql("initdb")?);
        let prefix = user.prefix();
        let mut command: Vec<&str> = prefix.iter().map(String::as_str).collect();
        let (data_text, initdb_text) = (data.display().to_string(), initdb.display().to_string());
        let rest = ["-D", &data_text, "-U", "tocsin", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"];
        command.push(&initdb_text);
        command.extend(rest);
        run(&command)?;
        Ok(made)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// How to start it.
    pub fn launch(&self, hosts: &Hosts, deployed: &Deployed, logs: &Path) -> Outcome<Launch> {
        let mut command = hosts.prefix(HOST);
        command.extend(User::ordinary()?.prefix());
        command.push(find_postgresql("postgres")?.display().to_string());
        command.extend(["-D".to_owned(), self.data().display().to_string()]);
        // The trial's own administrator comes from this machine without a password.
        let mut settings = deployed.postgresql(&self.folder, &format!("host all tocsin {} trust", hosts.range()))?;
        settings.extend([
            format!("listen_addresses={}", self.at.ip()),
            format!("port={}", self.at.port()),
            format!("unix_socket_directories={}", self.folder.display()),
        ]);
        command.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        Ok(Launch {
            name: "postgres".to_owned(),
            command,
            environment: Vec::new(),
            output: logs.join("postgres.out"),
            log: logs.join("postgres.err"),
            end: End::Postgres,
        })
    }

    /// Waits until it accepts connections.
    pub async fn ready(&self) -> Outcome<()> {
        wait_until("PostgreSQL accepts connections", START_LIMIT, async || {
            pool(self.at, "postgres").await?.close().await;
            Ok(Some(()))
        })
        .await
    }

    /// Makes the roles and schemas of the services.
    pub fn make_roles(&self, deployed: &Deployed) -> Outcome<()> {
        deployed.make_roles(&format!("postgres://tocsin@{}/postgres", self.at))
    }

    /// Connections to the database of the services.
    pub async fn connect(&self) -> Outcome<PgPool> {
        pool(self.at, DATABASE).await
    }
}

async fn pool(at: SocketAddr, database: &str) -> Outcome<PgPool> {
    let options = PgConnectOptions::new_without_pgpass()
        .host(&at.ip().to_string())
        .port(at.port())
        .username("tocsin")
        .database(database)
        .ssl_mode(PgSslMode::Disable);
    Ok(PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5)).connect_with(options).await?)
}

//! PostgreSQL with a data folder of its own: made, started, and given the one database in which each service has a
//! schema.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tocsin_tests::Outcome;
use tocsin_tests::ports::free_address;
use tocsin_tests::process::wait_until;

use crate::hosts::Hosts;
use crate::process::Launch;
use crate::programs::{User, find, postgres_folders, run};
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
        let (data, initdb) = (made.data(), find("initdb", &postgres_folders())?);
        let prefix = user.prefix();
        let mut command: Vec<&str> = prefix.iter().map(String::as_str).collect();
        let (data_text, initdb_text) = (data.display().to_string(), initdb.display().to_string());
        let rest = ["-D", &data_text, "-U", "tocsin", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"];
        command.push(&initdb_text);
        command.extend(rest);
        run(&command)?;
        let trusted = format!("\nhost all all {} trust\n", hosts.range());
        let list = data.join("pg_hba.conf");
        let text = fs::read_to_string(&list)?;
        fs::write(&list, text + &trusted)?;
        Ok(made)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The address for settings files.
    pub fn url(&self) -> String {
        format!("postgres://tocsin@{}/{DATABASE}", self.at)
    }

    /// How to start it.
    pub fn launch(&self, hosts: &Hosts, logs: &Path) -> Outcome<Launch> {
        let mut command = hosts.prefix(HOST);
        command.extend(User::ordinary()?.prefix());
        command.push(find("postgres", &postgres_folders())?.display().to_string());
        command.extend(["-D".to_owned(), self.data().display().to_string()]);
        let settings = [
            format!("listen_addresses={}", self.at.ip()),
            format!("port={}", self.at.port()),
            format!("unix_socket_directories={}", self.folder.display()),
            "max_connections=400".to_owned(),
            "shared_buffers=64MB".to_owned(),
        ];
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

    /// Waits until it accepts connections, and makes the database if it is not there.
    pub async fn ready(&self) -> Outcome<()> {
        wait_until("PostgreSQL accepts connections", START_LIMIT, async || {
            let pool = pool(self.at, "postgres").await?;
            let known: Option<i32> =
                sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = 'tocsin'").fetch_optional(&pool).await?;
            if known.is_none() {
                sqlx::query("CREATE DATABASE tocsin").execute(&pool).await?;
            }
            pool.close().await;
            Ok(Some(()))
        })
        .await
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
        .database(database);
    Ok(PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5)).connect_with(options).await?)
}

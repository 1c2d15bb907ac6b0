//! A PostgreSQL server with an empty cluster of its own, one for all tests of a process.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DbErr};
use tempfile::TempDir;
use uuid::Uuid;

use super::process::{self, Server};

/// How long the server may take until it accepts connections.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A PostgreSQL server on a free loopback port; it ends when this is dropped.
#[derive(Debug)]
pub struct PostgresServer {
    port: u16,
    command: Vec<String>,
    folder: PathBuf,
    server: Option<Server>,
    /// Removes the folder of a server that one test has for itself; that of the shared one goes with the process.
    _own: Option<TempDir>,
}

static SHARED: OnceLock<PostgresServer> = OnceLock::new();

impl PostgresServer {
    /// The server that all tests of this process share. It ends with the process.
    ///
    /// # Panics
    /// When the programs are missing or do not start.
    pub async fn shared() -> &'static Self {
        let start = || {
            let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}")).keep();
            let mut server = Self::create(folder, None);
            server.run(true);
            server
        };
        let started = tokio::task::spawn_blocking(move || SHARED.get_or_init(start)).await;
        started.unwrap_or_else(|error| panic!("PostgreSQL did not start: {error}"))
    }

    /// An empty cluster for one test, with a port of its own, which nobody serves yet: [`PostgresServer::start_again`]
    /// does.
    ///
    /// # Panics
    /// When the programs are missing.
    pub async fn prepare() -> Self {
        let create = || {
            let own = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
            Self::create(own.path().to_owned(), Some(own))
        };
        let created = tokio::task::spawn_blocking(create).await;
        created.unwrap_or_else(|error| panic!("PostgreSQL made no cluster: {error}"))
    }

    /// A running server of one's own that syncs every commit, as in earnest, for whoever measures.
    ///
    /// # Panics
    /// When the programs are missing or do not start.
    pub async fn durable() -> Self {
        let mut server = Self::prepare().await;
        server.configure("fsync=on");
        server.configure("shared_buffers=256MB");
        server.start_again();
        server
    }

    /// Sets something of the server from its next start on, as `fsync=on`; the last word counts.
    pub fn configure(&mut self, setting: &str) {
        self.command.extend(["-c".to_owned(), setting.to_owned()]);
    }

    /// Where it keeps everything, owned by the user as whom it runs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it listens, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server on the same port and data, and waits until it listens.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        self.run(false);
    }

    /// Ends the server as a crash would (`-m immediate`), and keeps its data.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Creates an empty database and returns its address.
    ///
    /// # Panics
    /// When the server does not do so within 30 s.
    pub async fn create_database(&self) -> String {
        let name = format!("t{}", Uuid::now_v7().simple());
        let start = Instant::now();
        while let Err(error) = self.execute(&format!("CREATE DATABASE {name}")).await {
            // It listens a moment before it is ready, and creates one database at a time.
            assert!(start.elapsed() < START_LIMIT, "PostgreSQL created no database: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.url(&name)
    }

    /// The address of a database there; `postgres` is there from the start.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://tocsin@127.0.0.1:{}/{database}", self.port)
    }

    async fn execute(&self, sql: &str) -> Result<(), DbErr> {
        let mut options = sea_orm::ConnectOptions::new(self.url("postgres"));
        options.max_connections(1).sqlx_logging(false);
        let connection = sea_orm::Database::connect(options).await?;
        let done = connection.execute_unprepared(sql).await;
        connection.close().await?;
        done.map(|_| ())
    }

    fn create(folder: PathBuf, own: Option<TempDir>) -> Self {
        let elsewhere = debian_folders();
        let user = ordinary_user(&folder);
        let data = folder.join("data");
        let mut create = user.command(&process::find("initdb", &elsewhere));
        create.arg("-D").arg(&data).args(["-U", "tocsin", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]);
        process::run(create.current_dir(&folder));
        let port = process::free_port();
        let mut command = user.prefix.clone();
        command.push(process::find("postgres", &elsewhere).display().to_string());
        command.extend(["-D".to_owned(), data.display().to_string()]);
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", folder.display()),
            "fsync=off".to_owned(),
            "max_connections=300".to_owned(),
            "shared_buffers=32MB".to_owned(),
        ];
        command.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        Self { port, command, folder, server: None, _own: own }
    }

    fn run(&mut self, remove_folder: bool) {
        let log = self.folder.join("log");
        let mut server = Server::start(&self.command, "QUIT", &log, remove_folder.then_some(self.folder.as_path()));
        server.wait_for_port(self.port, &log);
        self.server = Some(server);
    }
}

/// Debian keeps the programs of each version in a folder of their own; the newest comes first.
fn debian_folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// How to run as somebody whom PostgreSQL accepts: it refuses to run as root.
struct User {
    prefix: Vec<String>,
}

impl User {
    fn command(&self, program: &Path) -> Command {
        match self.prefix.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        }
    }
}

fn ordinary_user(folder: &Path) -> User {
    if process::run(Command::new("id").arg("-u")) != "0" {
        return User { prefix: Vec::new() };
    }
    let known = |name: &&str| Command::new("id").arg(name).output().is_ok_and(|output| output.status.success());
    let name = ["postgres", "nobody"].into_iter().find(known).unwrap_or("nobody");
    let number = |option: &str| {
        let text = process::run(Command::new("id").args([option, name]));
        text.parse::<u32>().unwrap_or_else(|error| panic!("`id {option} {name}` gave `{text}`: {error}"))
    };
    let (user, group) = (number("-u"), number("-g"));
    let given = chown(folder, Some(user), Some(group))
        .and_then(|()| std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)));
    given.unwrap_or_else(|error| panic!("the folder cannot be given to {name}: {error}"));
    let prefix = ["setpriv", &format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"];
    User { prefix: prefix.map(str::to_owned).to_vec() }
}

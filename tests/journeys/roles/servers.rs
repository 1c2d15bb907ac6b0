//! PostgreSQL and NATS as `deploy/` configures them, on loopback.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tocsin_platform::testing::PostgresServer;
use tocsin_tests::installation::SERVICES;
use tocsin_tests::ports::free_address;
use tocsin_tests::process::wait_until;
use tocsin_tests::program::root;
use tocsin_tests::tools::{find, find_postgresql, run};
use tocsin_tests::trouble::ensure;
use tocsin_tests::{Outcome, Trouble};

const START_LIMIT: Duration = Duration::from_secs(30);
/// The ways in of the test's own administrator, beside those of `deploy/`.
const ADMINISTRATOR: &str = "host all tocsin 127.0.0.1/32 trust\n";

fn text_of(file: &str) -> Outcome<String> {
    let path = root().join("deploy").join(file);
    std::fs::read_to_string(&path).map_err(|error| Trouble::from(error).during(&path.display().to_string()))
}

/// Copies a file so that the owner of the folder, and nobody else, may read it.
fn give(from: &Path, folder: &Path, name: &str) -> Outcome<PathBuf> {
    let (owner, path) = (std::fs::metadata(folder)?, folder.join(name));
    std::fs::copy(from, &path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    chown(&path, Some(owner.uid()), Some(owner.gid()))?;
    Ok(path)
}

/// Starts PostgreSQL with the access rules and the settings of `deploy/postgresql`, without roles yet.
pub(super) fn postgresql(server: &mut PostgresServer, certificates: &Path) -> Outcome<()> {
    let folder = server.folder().to_owned();
    let rules = folder.join("rules");
    std::fs::write(&rules, format!("{ADMINISTRATOR}{}", text_of("postgresql/pg_hba.conf")?))?;
    let rules = give(&rules, &folder, "pg_hba.conf")?;
    let certificate = give(&certificates.join("postgres.pem"), &folder, "certificate")?;
    let key = give(&certificates.join("postgres.key"), &folder, "certificate-key")?;
    let authority = give(&certificates.join("authority.pem"), &folder, "authority")?;
    for line in text_of("postgresql/postgresql.conf")?.lines() {
        let setting = line.split('#').next().unwrap_or_default();
        let Some((name, value)) = setting.split_once('=') else { continue };
        let place = match name.trim() {
            "listen_addresses" => continue,
            "hba_file" => Some(&rules),
            "ssl_cert_file" => Some(&certificate),
            "ssl_key_file" => Some(&key),
            "ssl_ca_file" => Some(&authority),
            _ => None,
        };
        let value = place.map_or_else(|| value.trim().trim_matches('\'').to_owned(), |path| path.display().to_string());
        server.configure(&format!("{}={value}", name.trim()));
    }
    server.start_again();
    Ok(())
}

/// Makes roles, database and passwords as `deploy/postgresql` says.
pub(super) async fn roles(server: &PostgresServer, passwords: &Path) -> Outcome<()> {
    let folder = root().join("deploy/postgresql");
    let psql = |file: &str, variables: &[String]| {
        let mut command = Command::new(find_postgresql("psql")?);
        command.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname"]);
        command.arg(server.url("postgres")).args(variables).arg("--file").arg(folder.join(file));
        run(&mut command)
    };
    // It listens a moment before it is ready.
    wait_until("the roles are made", START_LIMIT, async || psql("tocsin.sql", &[]).map(Some)).await?;
    // A second time changes nothing and fails nowhere.
    psql("tocsin.sql", &[])?;
    let mut variables = Vec::new();
    for service in SERVICES {
        let password = std::fs::read_to_string(passwords.join(service))?;
        variables.extend(["--set".to_owned(), format!("{service}={}", password.trim())]);
    }
    psql("passwords.sql", &variables).map(|_| ())
}

/// A NATS server with the configuration of `deploy/nats`; it ends when this is dropped.
pub(super) struct Nats {
    server: Child,
    log: PathBuf,
    pub(super) address: std::net::SocketAddr,
    pub(super) monitor: std::net::SocketAddr,
}

impl Nats {
    /// `keys` is the folder with `keys.conf`. The single form; the cluster's is only looked over by the server.
    pub(super) async fn start(folder: &Path, keys: &Path, certificates: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(folder)?;
        for file in ["nats.conf", "accounts.conf", "cluster.conf"] {
            std::fs::copy(root().join("deploy/nats").join(file), folder.join(file))?;
        }
        for file in ["keys.conf", "route.conf"] {
            std::fs::copy(keys.join(file), folder.join(file))?;
        }
        let (address, monitor, log) = (free_address()?, free_address()?, folder.join("log"));
        let command = |file: &str| {
            let mut command = Command::new(find("nats-server")?);
            command.arg("--config").arg(folder.join(file));
            command.env("NATS_NAME", "nats-1").env("NATS_STORE", folder.join("store"));
            command.env("NATS_CLIENT", address.to_string()).env("NATS_MONITOR", monitor.to_string());
            command.env("NATS_ROUTE", "127.0.0.1:6222").env("NATS_AUTHORITY", certificates.join("authority.pem"));
            command.env("NATS_CERTIFICATE", certificates.join("nats.pem"));
            command.env("NATS_KEY", certificates.join("nats.key"));
            Ok::<_, Trouble>(command)
        };
        run(command("cluster.conf")?.arg("-t"))?;
        run(command("nats.conf")?.arg("-t"))?;
        let output = std::fs::File::create(&log)?;
        let mut single = command("nats.conf")?;
        single.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut nats = Self { server: single.spawn()?, log, address, monitor };
        wait_until("NATS listens", START_LIMIT, async || {
            ensure(matches!(nats.server.try_wait(), Ok(None)), || nats.said())?;
            Ok(tokio::net::TcpStream::connect(address).await.ok().map(|_| ()))
        })
        .await?;
        Ok(nats)
    }

    /// What the server has logged.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

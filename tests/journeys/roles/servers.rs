//! PostgreSQL and NATS as `deploy/` configures them, on loopback.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tocsin_platform::testing::PostgresServer;
use tocsin_tests::deployed::{Deployed, psql};
use tocsin_tests::ports::free_address;
use tocsin_tests::process::wait_until;
use tocsin_tests::program::root;
use tocsin_tests::tools::{find, run};
use tocsin_tests::trouble::ensure;
use tocsin_tests::{Outcome, Trouble};

const START_LIMIT: Duration = Duration::from_secs(30);
/// The way in of the test's own administrator, beside those of `deploy/`.
const ADMINISTRATOR: &str = "host all tocsin 127.0.0.1/32 trust";

/// Starts PostgreSQL with the access rules and the settings of `deploy/postgresql`, without roles yet.
pub(super) fn postgresql(server: &mut PostgresServer, deployed: &Deployed) -> Outcome<()> {
    let folder = server.folder().to_owned();
    for setting in deployed.postgresql(&folder, ADMINISTRATOR)? {
        server.configure(&setting);
    }
    server.start_again();
    Ok(())
}

/// Makes roles, database and passwords as `deploy/postgresql` says.
pub(super) async fn roles(server: &PostgresServer, deployed: &Deployed) -> Outcome<()> {
    let url = server.url("postgres");
    // It listens a moment before it is ready.
    wait_until("the roles are made", START_LIMIT, async || psql(&url, "tocsin.sql", &[]).map(Some)).await?;
    // A second time changes nothing and fails nowhere.
    deployed.make_roles(&url)
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

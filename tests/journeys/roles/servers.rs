//! PostgreSQL and NATS as `deploy/` configures them, on loopback.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tocsin_platform::testing::PostgresServer;
use tocsin_tests::deployed::{Deployed, Node, psql};
use tocsin_tests::ports::free_address;
use tocsin_tests::process::wait_until;
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
    /// The single form; the cluster's is only looked over by the server.
    pub(super) async fn start(folder: &Path, deployed: &Deployed) -> Outcome<Self> {
        deployed.lay_out_nats(folder)?;
        let node = Node { client: free_address()?, routes: free_address()?, monitor: free_address()? };
        let (address, monitor, log) = (node.client, node.monitor, folder.join("log"));
        let environment = deployed.nats_environment("nats-1", &node, &folder.join("store"));
        let command = |file: &str| {
            let mut command = Command::new(find("nats-server")?);
            command.arg("--config").arg(folder.join(file)).envs(environment.iter().cloned());
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

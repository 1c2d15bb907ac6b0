//! The nodes of the NATS cluster, configured by `deploy/nats`: how each is started, and whether it and its streams are
//! current.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tocsin_tests::deployed::{Deployed, Node};
use tocsin_tests::ports::free_address;
use tocsin_tests::process::{http, wait_until};
use tocsin_tests::tools::find;
use tocsin_tests::{Outcome, Trouble};

use crate::hosts::{HOSTS, Hosts};
use crate::process::Launch;
use crate::register::End;

/// How long the three may take to agree on a leader and to bring all replicas up to date.
pub const CURRENT_LIMIT: Duration = Duration::from_mins(1);
/// How long one answer of the monitoring port may take.
const LOOK_TIME_MAX: Duration = Duration::from_secs(2);

/// The three nodes.
#[derive(Debug, Clone)]
pub struct Nodes {
    folder: PathBuf,
    nodes: [Node; HOSTS],
}

impl Nodes {
    /// Chooses their ports; their files live below this folder.
    pub fn choose(folder: &Path, hosts: &Hosts) -> Outcome<Self> {
        let at = |address: IpAddr| -> Outcome<SocketAddr> { Ok(SocketAddr::new(address, free_address()?.port())) };
        let node = |host: usize| -> Outcome<Node> {
            let address = hosts.address(host);
            Ok(Node { client: at(address)?, routes: at(address)?, monitor: at(address)? })
        };
        Ok(Self { folder: folder.to_owned(), nodes: [node(0)?, node(1)?, node(2)?] })
    }

    /// The addresses that a client is given.
    pub fn urls(&self) -> String {
        self.nodes.map(|node| format!("nats://{}", node.client)).join(",")
    }

    /// Where a node keeps its messages.
    pub fn store(&self, index: usize) -> PathBuf {
        self.folder.join(format!("nats-{}", index + 1)).join("store")
    }

    /// Writes a node's configuration and says how to start it.
    pub fn launch(&self, index: usize, hosts: &Hosts, deployed: &Deployed, logs: &Path) -> Outcome<Launch> {
        let name = format!("nats-{}", index + 1);
        let (own, store) = (self.folder.join(&name), self.store(index));
        fs::create_dir_all(&store)?;
        deployed.lay_out_nats(&own)?;
        let node = self.nodes.get(index).ok_or_else(|| Trouble::new("there is no such node"))?;
        let configuration = own.join("cluster.conf");
        let mut command = hosts.prefix(index);
        command.extend([find("nats-server")?, "--config".into(), configuration].map(|part| part.display().to_string()));
        Ok(Launch {
            output: logs.join(format!("{name}.out")),
            log: logs.join(format!("{name}.err")),
            environment: deployed.nats_environment(&name, node, &store),
            name,
            command,
            end: End::Server,
        })
    }

    /// Where the nodes meet, for `deploy/prepare`.
    pub fn routes(&self) -> String {
        self.nodes.map(|node| node.routes.to_string()).join(" ")
    }

    /// Whether every node answers that it holds all it should, each replica up to date.
    pub async fn are_current(&self) -> bool {
        let Ok(client) = http() else { return false };
        for node in self.nodes {
            let url = format!("http://{}/healthz", node.monitor);
            let answer = client.get(url).timeout(LOOK_TIME_MAX).send().await;
            if !answer.is_ok_and(|answer| answer.status().is_success()) {
                return false;
            }
        }
        true
    }

    /// Waits until they are.
    pub async fn current(&self) -> Outcome<()> {
        let what = "all three nodes of NATS and every replica are up to date";
        wait_until(what, CURRENT_LIMIT, async || Ok(self.are_current().await.then_some(()))).await
    }
}

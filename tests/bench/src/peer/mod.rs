//! Other software on the same work, and servers of others, started by the harness in the same run.

pub(crate) mod alertmanager;
pub(crate) mod kannel;
pub(crate) mod postfix;
pub(crate) mod smtp_sink;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::net::TcpStream;

/// How long a server may take to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Whether this process is root's, as the kernel says.
fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    line.split_whitespace().nth(1) == Some("0")
}

/// Waits until somebody listens there.
async fn until_listening(address: SocketAddr, what: &str) -> Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    while TcpStream::connect(address).await.is_err() {
        ensure!(Instant::now() < deadline, "{what} does not listen on its port");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A loopback address with a port that nobody uses at this moment.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

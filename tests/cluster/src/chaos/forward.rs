//! Carries connections from one address to another: receivers speak without certificates and must be on a service's own
//! loopback, so each host has one of these.

use std::net::SocketAddr;
use std::str::FromStr;

use tocsin_tests::{Outcome, Trouble};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// From one address to another, written as `from=to`.
#[derive(Debug, Clone, Copy)]
pub struct Forward {
    /// Where it listens.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
}

impl FromStr for Forward {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, to) = text.split_once('=').ok_or("write it as from=to")?;
        let address = |text: &str| text.parse::<SocketAddr>().map_err(|error| format!("{text}: {error}"));
        Ok(Self { from: address(from)?, to: address(to)? })
    }
}

impl std::fmt::Display for Forward {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}={}", self.from, self.to)
    }
}

impl Forward {
    /// Listens, and carries until the process ends.
    pub async fn carry(self) -> Outcome<()> {
        let listener = TcpListener::bind(self.from)
            .await
            .map_err(|error| Trouble::from(error).during(&format!("listening on {}", self.from)))?;
        loop {
            let (mut inward, _) = listener.accept().await?;
            tokio::spawn(async move {
                // Nobody behind it: the caller sees the connection end, as it would see it refused.
                let Ok(mut outward) = TcpStream::connect(self.to).await else { return };
                let _ = (inward.set_nodelay(true), outward.set_nodelay(true));
                // A connection that breaks on one side ends on the other.
                let _ = copy_bidirectional(&mut inward, &mut outward).await;
            });
        }
    }
}

//! The network as webhooks use it: a name becomes addresses, an address becomes a connection. Nothing else is asked, so
//! no proxy of the environment has a say. Tests put another network in its place.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

/// Names and connections.
#[async_trait::async_trait]
pub(crate) trait Network: Debug + Send + Sync {
    /// The addresses of a name as they are now.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;

    /// A connection to exactly this address.
    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream>;
}

/// This machine's own.
#[derive(Debug)]
pub(crate) struct SystemNetwork;

#[async_trait::async_trait]
impl Network for SystemNetwork {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}

//! An address that swallows connections: the kernel drops whatever asks for one, as a firewall does.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// The most connections that could be needed to fill the line of a listener that never accepts.
const FILL_MAX: usize = 64;
/// On loopback a connection stands at once, or not at all.
const PATIENCE: Duration = Duration::from_millis(200);

/// A listener whose line is full and that never accepts.
pub(crate) struct Hole {
    pub(crate) address: SocketAddr,
    _listener: TcpListener,
    _line: Vec<TcpStream>,
}

impl Hole {
    /// Opens one, and shows that it swallows.
    pub(crate) async fn open() -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut line = Vec::new();
        while let Ok(connected) = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
            line.push(connected?);
            ensure!(line.len() < FILL_MAX, "the line of a listener that never accepts does not fill");
        }
        Ok(Self { address, _listener: listener, _line: line })
    }
}

//! Loopback ports for processes that must know theirs before they start, and keep them over a restart.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::{Outcome, Trouble};

/// Below the range from which Linux takes the ports of outgoing connections, so that none of those can sit on a port
/// of ours while its process is being restarted.
const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// An address on loopback that nobody listens on, given out once in this process.
pub fn free_address() -> Outcome<SocketAddr> {
    // Two test processes at the same time begin at different places.
    let own = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or_default();
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (own.wrapping_mul(37) % COUNT + step % COUNT) % COUNT;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok(listener.local_addr()?);
        }
    }
    Err(Trouble::new("no loopback port is free"))
}

//! Where members live: all on loopback, or on three hosts that are network namespaces joined by a bridge, so that a
//! cable can be pulled.

use std::net::{IpAddr, Ipv4Addr};

use tocsin_tests::{Outcome, Trouble};

use crate::programs::{is_root, run};
use crate::register::Register;

/// How many hosts there are: one for each node of NATS. The first two also hold a process of each service, the third
/// PostgreSQL.
pub const HOSTS: usize = 3;
/// The range that is set aside for trials of networks, in which no real host lives (RFC 2544).
const RANGE: [u8; 2] = [198, 18];

/// The hosts of one cluster.
#[derive(Debug, Clone)]
pub struct Hosts {
    namespaces: Option<Namespaces>,
}

#[derive(Debug, Clone)]
struct Namespaces {
    /// Begins the names of everything made here.
    prefix: String,
    net: u8,
}

impl Hosts {
    /// Everything on this machine's own loopback.
    pub fn loopback() -> Self {
        Self { namespaces: None }
    }

    /// Three namespaces and a bridge, or why this machine does not let us make them.
    pub fn namespaces(register: &Register) -> Outcome<Self> {
        if !is_root() {
            return Err(Trouble::new("only root may make network namespaces"));
        }
        let prefix = format!("tcs{}", std::process::id());
        let net = free_net()?;
        let made = Namespaces { prefix, net };
        made.make(register)?;
        Ok(Self { namespaces: Some(made) })
    }

    /// Whether a cable can be pulled.
    pub fn can_be_cut(&self) -> bool {
        self.namespaces.is_some()
    }

    /// What stands before a command that runs on a host.
    pub fn prefix(&self, host: usize) -> Vec<String> {
        match &self.namespaces {
            Some(made) => ["ip", "netns", "exec", &made.name(host)].map(str::to_owned).to_vec(),
            None => Vec::new(),
        }
    }

    /// The address of a host as the others see it.
    pub fn address(&self, host: usize) -> IpAddr {
        match &self.namespaces {
            Some(made) => made.address(host + 2).into(),
            None => Ipv4Addr::LOCALHOST.into(),
        }
    }

    /// The address at which the hosts see this process, when that is not loopback.
    pub fn outside(&self) -> Option<IpAddr> {
        self.namespaces.as_ref().map(|made| made.address(1).into())
    }

    /// The range of addresses, for PostgreSQL's list of who may come.
    pub fn range(&self) -> String {
        match &self.namespaces {
            Some(made) => format!("{}.{}.{}.0/24", RANGE[0], RANGE[1], made.net),
            None => "127.0.0.0/8".to_owned(),
        }
    }

    /// Pulls a host's cable: what is sent vanishes, and nobody is told.
    pub fn cut(&self, host: usize) -> Outcome<()> {
        let made = self.namespaces.as_ref().ok_or_else(|| Trouble::new("loopback cannot be cut"))?;
        run(&["ip", "link", "set", &made.port(host), "nomaster"]).map(|_| ())
    }

    /// Puts it back.
    pub fn mend(&self, host: usize) -> Outcome<()> {
        let made = self.namespaces.as_ref().ok_or_else(|| Trouble::new("loopback cannot be cut"))?;
        run(&["ip", "link", "set", &made.port(host), "master", &made.bridge()]).map(|_| ())
    }
}

impl Namespaces {
    fn name(&self, host: usize) -> String {
        format!("{}-{host}", self.prefix)
    }

    fn port(&self, host: usize) -> String {
        format!("{}p{host}", self.prefix)
    }

    fn bridge(&self) -> String {
        format!("{}b", self.prefix)
    }

    fn address(&self, last: usize) -> Ipv4Addr {
        Ipv4Addr::new(RANGE[0], RANGE[1], self.net, u8::try_from(last).unwrap_or(u8::MAX))
    }

    fn make(&self, register: &Register) -> Outcome<()> {
        let bridge = self.bridge();
        register.change(|running| running.links.push(bridge.clone()))?;
        run(&["ip", "link", "add", &bridge, "type", "bridge"])?;
        run(&["ip", "address", "add", &format!("{}/24", self.address(1)), "dev", &bridge])?;
        run(&["ip", "link", "set", &bridge, "up"])?;
        for host in 0..HOSTS {
            let (name, port) = (self.name(host), self.port(host));
            register.change(|running| {
                running.namespaces.push(name.clone());
                running.links.push(port.clone());
            })?;
            run(&["ip", "netns", "add", &name])?;
            run(&["ip", "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
            run(&["ip", "link", "set", &port, "master", &bridge, "up"])?;
            run(&["ip", "-n", &name, "link", "set", "lo", "up"])?;
            let address = format!("{}/24", self.address(host + 2));
            run(&["ip", "-n", &name, "address", "add", &address, "dev", "eth0"])?;
            run(&["ip", "-n", &name, "link", "set", "eth0", "up"])?;
        }
        Ok(())
    }
}

/// A range in which this machine has no address yet.
fn free_net() -> Outcome<u8> {
    let taken = run(&["ip", "-4", "-oneline", "address"])?;
    let free = (0..=u8::MAX).find(|net| !taken.contains(&format!("{}.{}.{net}.", RANGE[0], RANGE[1])));
    free.ok_or_else(|| Trouble::new("no range of test addresses is free"))
}

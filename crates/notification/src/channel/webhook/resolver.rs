//! Names of webhook hosts become addresses here, are checked, and the connection goes to the very address that was
//! checked: a name that changes its answer between check and connection gains nothing.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use url::Host;

use super::network::Network;
use crate::channel::guard::{WebhookUrl, is_special_purpose};

/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// The host's name leads inside, or nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResolveError {
    /// One of its addresses is not on the public internet.
    #[error("the host resolves to an address that is not on the public internet")]
    Inside,
    /// No address.
    #[error("the host does not resolve")]
    Nowhere,
}

type Answer = Result<Arc<[IpAddr]>, ResolveError>;
type Lookup = Shared<BoxFuture<'static, Answer>>;

/// Resolves public names only. Hosts in the map go to their loopback address instead.
#[derive(Debug)]
pub(super) struct Resolver {
    connect_to: BTreeMap<String, SocketAddr>,
    network: Arc<dyn Network>,
    /// A name server that never answers holds one lookup for each name, however many wait for it.
    under_way: Arc<Mutex<HashMap<String, Lookup>>>,
}

impl Resolver {
    pub(super) fn new(connect_to: BTreeMap<String, SocketAddr>, network: Arc<dyn Network>) -> Self {
        Self { connect_to, network, under_way: Arc::default() }
    }

    /// Where a webhook's connection may go, checked.
    pub(super) async fn addresses(&self, to: &WebhookUrl) -> Result<Vec<SocketAddr>, ResolveError> {
        let port = to.port();
        let addresses: Arc<[IpAddr]> = match to.host() {
            None => return Err(ResolveError::Nowhere),
            // The URL's own check has let loopback through where the settings allow it.
            Some(Host::Ipv4(address)) if to.is_plain() => return Ok(vec![SocketAddr::from((address, port))]),
            Some(Host::Ipv6(address)) if to.is_plain() => return Ok(vec![SocketAddr::from((address, port))]),
            Some(Host::Ipv4(address)) => Arc::new([IpAddr::V4(address)]),
            Some(Host::Ipv6(address)) => Arc::new([IpAddr::V6(address)]),
            Some(Host::Domain(name)) => {
                if let Some(target) = self.mapped(name) {
                    return Ok(vec![target]);
                }
                self.lookup(name).await?
            }
        };
        checked(&addresses)?;
        Ok(addresses.iter().take(ADDRESSES_MAX).map(|address| SocketAddr::new(*address, port)).collect())
    }

    /// Webhooks always use port 443, so the map's `host:443` and the bare host mean the same.
    fn mapped(&self, host: &str) -> Option<SocketAddr> {
        if self.connect_to.is_empty() {
            return None;
        }
        let named = self.connect_to.get(&format!("{host}:443")).or_else(|| self.connect_to.get(host));
        named.or_else(|| self.connect_to.get("*")).copied()
    }

    /// Asks, or waits with those who have asked. The lookup itself cannot be cancelled, so it runs in a task of its own
    /// and leaves the list when it ends.
    async fn lookup(&self, name: &str) -> Answer {
        let lookup = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = under_way.get(name) {
                known.clone()
            } else {
                let (network, list, asked) = (Arc::clone(&self.network), Arc::clone(&self.under_way), name.to_owned());
                let task = tokio::spawn(async move {
                    let found = network.lookup(&asked).await;
                    list.lock().unwrap_or_else(PoisonError::into_inner).remove(&asked);
                    found.map(Arc::<[IpAddr]>::from).map_err(|_| ResolveError::Nowhere)
                });
                let lookup = task.map(|ended| ended.unwrap_or(Err(ResolveError::Nowhere))).boxed().shared();
                under_way.insert(name.to_owned(), lookup.clone());
                lookup
            }
        };
        lookup.await
    }
}

/// All of them must be public: a mixed answer is how a rebinding attack looks.
fn checked(addresses: &[IpAddr]) -> Result<(), ResolveError> {
    if addresses.is_empty() {
        return Err(ResolveError::Nowhere);
    }
    if addresses.iter().any(|address| is_special_purpose(*address)) {
        return Err(ResolveError::Inside);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::net::TcpStream;

    use super::super::network::SystemNetwork;
    use super::*;

    #[test]
    fn one_inside_address_spoils_the_answer() {
        let public: IpAddr = "93.184.215.14".parse().unwrap();
        let inside: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(checked(&[public]), Ok(()));
        assert_eq!(checked(&[public, inside]), Err(ResolveError::Inside));
        assert_eq!(checked(&[]), Err(ResolveError::Nowhere));
    }

    #[test]
    fn the_map_takes_the_most_exact_entry() {
        let map = [("hooks.org-1.example:443", "127.0.0.1:1001"), ("*", "127.0.0.1:1002")];
        let map = map.map(|(host, target)| (host.to_owned(), target.parse().unwrap()));
        let resolver = Resolver::new(BTreeMap::from(map), Arc::new(SystemNetwork));
        assert_eq!(resolver.mapped("hooks.org-1.example").unwrap().port(), 1001);
        assert_eq!(resolver.mapped("other.example").unwrap().port(), 1002);
        let plain = Resolver::new(BTreeMap::new(), Arc::new(SystemNetwork));
        assert_eq!(plain.mapped("other.example"), None);
    }

    /// A name server that answers when it is told to, with an inside address.
    #[derive(Debug, Default)]
    struct SlowNetwork {
        asked: AtomicUsize,
        answer: tokio::sync::Notify,
    }

    #[async_trait::async_trait]
    impl Network for SlowNetwork {
        async fn lookup(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.answer.notified().await;
            Ok(vec![IpAddr::from([10, 0, 0, 1])])
        }

        async fn connect(&self, _address: SocketAddr) -> io::Result<TcpStream> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_wait_for_a_name_ask_once_and_again_only_when_it_was_answered() {
        let network = Arc::new(SlowNetwork::default());
        let resolver = Resolver::new(BTreeMap::new(), network.clone());
        let to = WebhookUrl::parse("https://slow.example/", false).unwrap();
        for _ in 0..50 {
            let waited = tokio::time::timeout(Duration::from_secs(3), resolver.addresses(&to)).await;
            assert!(waited.is_err());
        }
        assert_eq!(network.asked.load(Ordering::Relaxed), 1);
        network.answer.notify_one();
        assert_eq!(resolver.addresses(&to).await, Err(ResolveError::Inside));
        network.answer.notify_one();
        assert_eq!(resolver.addresses(&to).await, Err(ResolveError::Inside));
        assert_eq!(network.asked.load(Ordering::Relaxed), 2, "an answer is not kept");
    }
}

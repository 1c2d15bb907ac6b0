//! Names of webhook hosts become addresses here, are checked, and the connection goes to the very address that was
//! checked: a name that changes its answer between check and connection gains nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::is_special_purpose;

/// The host's name leads inside, or nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// One of its addresses is not on the public internet.
    #[error("the host resolves to an address that is not on the public internet")]
    Inside,
    /// No address.
    #[error("the host does not resolve")]
    Nowhere,
}

/// Resolves public names only. Hosts in the map go to their loopback address instead.
#[derive(Debug, Clone)]
pub(super) struct GuardedResolver {
    connect_to: Arc<BTreeMap<String, SocketAddr>>,
}

impl GuardedResolver {
    pub(super) fn new(connect_to: BTreeMap<String, SocketAddr>) -> Self {
        Self { connect_to: Arc::new(connect_to) }
    }

    /// Webhooks always use port 443, so the map's `host:443` and the bare host mean the same.
    fn mapped(&self, host: &str) -> Option<SocketAddr> {
        let named = self.connect_to.get(&format!("{host}:443")).or_else(|| self.connect_to.get(host));
        named.or_else(|| self.connect_to.get("*")).copied()
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let mapped = self.mapped(name.as_str());
        Box::pin(async move {
            if let Some(target) = mapped {
                return Ok(Box::new(std::iter::once(target)) as Addrs);
            }
            let resolved = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| ResolveError::Nowhere)?;
            let addresses = checked(resolved.collect())?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// All of them must be public: a mixed answer is how a rebinding attack looks.
fn checked(addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, ResolveError> {
    if addresses.is_empty() {
        return Err(ResolveError::Nowhere);
    }
    if addresses.iter().any(|address| is_special_purpose(address.ip())) {
        return Err(ResolveError::Inside);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_inside_address_spoils_the_answer() {
        let public: SocketAddr = "93.184.215.14:0".parse().unwrap();
        let inside: SocketAddr = "10.0.0.1:0".parse().unwrap();
        assert!(checked(vec![public]).is_ok());
        assert!(matches!(checked(vec![public, inside]), Err(ResolveError::Inside)));
        assert!(matches!(checked(Vec::new()), Err(ResolveError::Nowhere)));
    }

    #[test]
    fn the_map_takes_the_most_exact_entry() {
        let map = [("hooks.org-1.example:443", "127.0.0.1:1001"), ("*", "127.0.0.1:1002")];
        let map = map.map(|(host, target)| (host.to_owned(), target.parse().unwrap()));
        let resolver = GuardedResolver::new(BTreeMap::from(map));
        assert_eq!(resolver.mapped("hooks.org-1.example").unwrap().port(), 1001);
        assert_eq!(resolver.mapped("other.example").unwrap().port(), 1002);
        assert_eq!(GuardedResolver::new(BTreeMap::new()).mapped("other.example"), None);
    }

    #[tokio::test]
    async fn a_loopback_name_is_refused() {
        let resolved = GuardedResolver::new(BTreeMap::new()).resolve("localhost".parse().unwrap()).await;
        assert!(resolved.is_err());
    }
}

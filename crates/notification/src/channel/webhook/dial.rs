//! Opening a connection: resolve, check, connect to the checked address, TLS. All of it within one time limit.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::network::Network;
use super::resolver::{ResolveError, Resolver};
use crate::channel::guard::WebhookUrl;

/// A stream in both directions.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Why there is no connection, as the code of the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DialError {
    /// The name leads inside.
    #[error("address_refused")]
    Inside,
    /// The name leads nowhere.
    #[error("name_unknown")]
    Nowhere,
    /// Nobody answers there.
    #[error("connect_failed")]
    Connect,
    /// The other side is not whom the name says, or speaks no TLS.
    #[error("tls_failed")]
    Tls,
    /// It took too long.
    #[error("connect_timeout")]
    Timeout,
}

impl From<ResolveError> for DialError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Inside => Self::Inside,
            ResolveError::Nowhere => Self::Nowhere,
        }
    }
}

/// Opens connections.
pub(super) struct Dialer {
    resolver: Resolver,
    network: Arc<dyn Network>,
    tls: TlsConnector,
    time_max: Duration,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Dialer").field("time_max", &self.time_max).finish_non_exhaustive()
    }
}

impl Dialer {
    pub(super) fn new(
        resolver: Resolver,
        network: Arc<dyn Network>,
        tls: Arc<ClientConfig>,
        time_max: Duration,
    ) -> Self {
        Self { resolver, network, tls: TlsConnector::from(tls), time_max }
    }

    /// A fresh connection to the host of a webhook.
    pub(super) async fn dial(&self, to: &WebhookUrl) -> Result<Box<dyn Duplex>, DialError> {
        let ends = Instant::now() + self.time_max;
        let opened = tokio::time::timeout_at(ends, self.open(to, ends)).await;
        opened.unwrap_or(Err(DialError::Timeout))
    }

    async fn open(&self, to: &WebhookUrl, ends: Instant) -> Result<Box<dyn Duplex>, DialError> {
        let addresses = self.resolver.addresses(to).await?;
        let stream = self.connect(&addresses, ends).await?;
        if to.is_plain() {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(to.host_text().to_owned()).map_err(|_| DialError::Tls)?;
        let stream = self.tls.connect(name, stream).await.map_err(|_| DialError::Tls)?;
        Ok(Box::new(stream))
    }

    /// Tries one address after the other; each has its share of what is left, so that a dead one leaves time for the
    /// next.
    async fn connect(&self, addresses: &[SocketAddr], ends: Instant) -> Result<TcpStream, DialError> {
        let mut last = DialError::Connect;
        for (index, address) in addresses.iter().enumerate() {
            let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            let share = ends.saturating_duration_since(Instant::now()) / left;
            match tokio::time::timeout(share, self.network.connect(*address)).await {
                Ok(Ok(stream)) => {
                    // Without it a small request can wait for a delayed acknowledgement.
                    stream.set_nodelay(true).map_err(|_| DialError::Connect)?;
                    return Ok(stream);
                }
                Ok(Err(_)) => last = DialError::Connect,
                Err(_elapsed) => last = DialError::Timeout,
            }
        }
        Err(last)
    }
}

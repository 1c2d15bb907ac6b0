//! One alert feed for each imported organisation, as its own program would hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::try_join_all;
use tocsin_proto::dispatch::v1::{WatchAlertsRequest, alert_service_client::AlertServiceClient};
use tokio::task::JoinSet;
use tonic::transport::Endpoint;

use super::DemoError;
use super::cast::{Player, bearing};

/// Open feeds; closing is dropping.
pub(super) struct Feeds {
    received: Arc<AtomicUsize>,
    _readers: JoinSet<()>,
}

/// A server bounds the streams of one connection; feeds are spread over several, as they would be in the world.
const FEEDS_PER_CONNECTION: usize = 40;

impl Feeds {
    /// Opens a feed with each key and returns when all are open.
    pub(super) async fn open(dispatch_url: &str, delegates: &[Player]) -> Result<Self, DemoError> {
        let received = Arc::new(AtomicUsize::new(0));
        let mut readers = JoinSet::new();
        for group in delegates.chunks(FEEDS_PER_CONNECTION) {
            let endpoint = Endpoint::from_shared(dispatch_url.to_owned()).map_err(DemoError::other)?;
            let client = AlertServiceClient::new(endpoint.connect_lazy());
            let opened = try_join_all(group.iter().map(|delegate| {
                let mut client = client.clone();
                async move { client.watch_alerts(bearing(&delegate.secret, WatchAlertsRequest::default())?).await }
            }))
            .await?;
            for stream in opened {
                let (received, mut stream) = (Arc::clone(&received), stream.into_inner());
                readers.spawn(async move {
                    while let Ok(Some(_)) = stream.message().await {
                        received.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        }
        Ok(Self { received, _readers: readers })
    }

    /// How many alerts have arrived over all feeds together.
    pub(super) fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }
}

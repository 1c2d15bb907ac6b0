//! `WatchAlerts`: every alert for the caller from the cursor on, then those to come.

use futures::Stream;
use futures::stream::try_unfold;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tocsin_platform::lifecycle::Shutdown;
use tocsin_proto::dispatch::v1::{WatchAlertsRequest, WatchAlertsResponse};
use tonic::{Request, Status};

use crate::dispatch::{READERS, Shared};
use crate::feed::subscription::{OpenKey, Subscription};

pub(super) async fn handle(
    dispatch: &Shared,
    shutdown: &Shutdown,
    request: Request<WatchAlertsRequest>,
) -> Result<impl Stream<Item = Result<WatchAlertsResponse, Status>> + Send + use<>, Status> {
    dispatch.credentials.require(request.metadata(), &READERS).await?;
    let (metadata, _, message) = request.into_parts();
    let key = OpenKey::check(dispatch, authorization(metadata.into_headers())).await?;
    let subscription = Subscription::open(dispatch, shutdown, key, &message.cursor).await?;
    Ok(try_unfold(subscription, |mut subscription| async move {
        let entry = subscription.next().await.map_err(Status::from)?;
        Ok(Some((entry.message.clone(), subscription)))
    }))
}

/// Only the key is kept while the stream is open.
fn authorization(mut headers: HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    if let Some(value) = headers.remove(AUTHORIZATION) {
        kept.insert(AUTHORIZATION, value);
    }
    kept
}

//! The HTTP door: the feed as server-sent events, and the page that acknowledges.

mod acknowledge;
mod page;
mod stream;

use axum::Router;
use axum::routing::get;
use tocsin_platform::lifecycle::Shutdown;

use crate::dispatch::Shared;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) dispatch: Shared,
    pub(crate) shutdown: Shutdown,
}

/// Every route of dispatch's HTTP door.
pub(crate) fn router(dispatch: &Shared, shutdown: &Shutdown) -> Router {
    let door = Door { dispatch: Shared::clone(dispatch), shutdown: shutdown.clone() };
    Router::new()
        .route("/v1/alerts/stream", get(stream::stream))
        .route("/acknowledge/{token}", get(acknowledge::show).post(acknowledge::record))
        .with_state(door)
}

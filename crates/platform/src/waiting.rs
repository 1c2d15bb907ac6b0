//! Doors that are open before the service behind them can be: while a database is away, probes and clients get an honest
//! answer instead of silence, and no supervisor restarts what only waits.

use std::time::Duration;

use axum::response::IntoResponse;
use tocsin_proto::catalogue::Service;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::service::Routes;
use tracing::warn;

use crate::config::{LimitSettings, TlsSettings};
use crate::failure::Failure;
use crate::http::Check;
use crate::lifecycle::{Shutdown, ShutdownHandle};
use crate::{grpc, http};

/// When a client is asked to come back.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How long answers in flight may take once the room closes; watchers of health are cut then, and ask again.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);

/// The doors of one service that is not there yet. Dropping it shuts them at once.
#[derive(Debug)]
pub struct WaitingRoom {
    handle: ShutdownHandle,
    doors: JoinSet<()>,
}

impl WaitingRoom {
    /// Answers on these sockets: `/livez` that the process lives, `/readyz` that the database is missing, everything else
    /// that it should be tried again.
    pub fn open(
        service: Service,
        grpc: TcpListener,
        http: TcpListener,
        tls: Option<TlsSettings>,
        limits: LimitSettings,
    ) -> Self {
        let (handle, shutdown) = Shutdown::pair();
        let mut doors = JoinSet::new();
        let web = http::operations_routes(vec![Check::new("database", async || false)]).fallback(async || absent());
        let (web_tls, web_shutdown) = (tls.clone(), shutdown.clone());
        doors.spawn(async move {
            let served = http::serve_with(http, web, web_tls.as_ref(), limits, web_shutdown).await;
            tell(service, served.err());
        });
        let refuse = async || Status::from(absent()).into_http::<axum::body::Body>().into_response();
        let routes = Routes::from(axum::Router::new().fallback(refuse));
        doors.spawn(async move {
            let served = grpc::server_that_waits(grpc, routes, &[service.as_str()], tls.as_ref(), shutdown).await;
            tell(service, served.err());
        });
        Self { handle, doors }
    }

    /// Takes nothing new, lets what is in flight be answered, and gives the sockets back.
    pub async fn close(mut self) {
        self.handle.drain();
        let ended = async { while self.doors.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSE_TIME_MAX, ended).await.is_err() {
            self.handle.stop();
            self.doors.shutdown().await;
        }
    }
}

fn absent() -> Failure {
    Failure::unavailable("WAITING", "this service waits for its database; try again shortly").retry_after(RETRY_AFTER)
}

/// The service itself will meet the same error and fail with it.
fn tell(service: Service, error: Option<impl std::error::Error>) {
    if let Some(error) = error {
        warn!(%service, reason = %error, "a door could not be opened while the service waits");
    }
}

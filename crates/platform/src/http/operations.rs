//! The operator's routes: `/livez`, `/readyz` and `/metrics`.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::telemetry;

/// How long one dependency may take to answer before it counts as away.
const CHECK_TIME_MAX: Duration = Duration::from_secs(2);

type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// Something that must answer before this service is ready: `Check::new("database", move || ...)`.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    probe: Probe,
}

impl Check {
    /// A dependency and how to ask whether it answers.
    pub fn new<F, Answer>(name: &'static str, probe: F) -> Self
    where
        F: Fn() -> Answer + Send + Sync + 'static,
        Answer: Future<Output = bool> + Send + 'static,
    {
        Self { name, probe: Arc::new(move || Box::pin(probe())) }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Check({})", self.name)
    }
}

#[derive(Debug, Serialize)]
struct Answer {
    name: &'static str,
    ready: bool,
}

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    checks: Vec<Answer>,
}

/// The operator's routes. `/livez` never asks a dependency: a database that is away is no reason to kill the process.
pub fn operations_routes(readiness: Vec<Check>) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(move || ready(readiness.clone())))
        .route("/metrics", get(metrics))
}

async fn ready(checks: Vec<Check>) -> Response {
    let asked = checks.into_iter().map(async |check| {
        let answered = tokio::time::timeout(CHECK_TIME_MAX, (check.probe)()).await;
        Answer { name: check.name, ready: answered.unwrap_or(false) }
    });
    let checks = futures::future::join_all(asked).await;
    let ready = checks.iter().all(|check| check.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, checks })).into_response()
}

async fn metrics() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry::render()).into_response()
}

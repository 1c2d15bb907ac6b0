//! S1 and S3 in the distributed form (four processes, NATS, a PostgreSQL that syncs) beside the embedded form, in turns.

use anyhow::{Context, Result};

use super::accepts::{grpc, http};
use super::urgent_webhooks::{DESTINATIONS, ring};
use crate::bell::Bell;
use crate::network::members;
use crate::statistics::median;
use crate::table::{Better, Bound, Row};

/// Alerts in one round, after one that warms the connections.
const ALERTS: usize = 10;

/// One form's figures.
#[derive(Default)]
struct Form {
    last_ms: Vec<f64>,
    http: Vec<f64>,
    grpc: Vec<f64>,
}

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let report = crate::report::fixture()?;
    let (mut together, mut apart) = (Form::default(), Form::default());
    for round in 1..=rounds {
        eprintln!("apart round {round} of {rounds}");
        let bell = Bell::hang(members(DESTINATIONS, "webhook")).await?;
        together.last_ms.push(alerts(&bell).await.context("the embedded form")?);
        drop(bell);
        let bell = Bell::hang_apart(members(DESTINATIONS, "webhook")).await?;
        apart.last_ms.push(alerts(&bell).await.context("the distributed form")?);
        drop(bell);
        let bell = Bell::hang(members(1, "email")).await?;
        together.http.push(http(&bell, &report).await?.per_second);
        together.grpc.push(grpc(&bell, &report).await?.per_second);
        drop(bell);
        let bell = Bell::hang_apart(members(1, "email")).await?;
        apart.http.push(http(&bell, &report).await?.per_second);
        apart.grpc.push(grpc(&bell, &report).await?.per_second);
    }
    Ok(rows(&together, &apart))
}

/// The median time of some alerts, in milliseconds.
async fn alerts(bell: &Bell) -> Result<f64> {
    ring(bell).await.context("the alert that warms the connections")?;
    let mut times = Vec::with_capacity(ALERTS);
    for _ in 0..ALERTS {
        times.push(ring(bell).await?.as_secs_f64() * 1_000.0);
    }
    Ok(median(&times))
}

fn rows(together: &Form, apart: &Form) -> Vec<Row> {
    let row = |what: &str, figures: &[f64], reference: &[f64], better: Better, due: f64| Row {
        scenario: "apart",
        what: what.to_owned(),
        figure: median(figures),
        against: "the same, embedded".to_owned(),
        reference: median(reference),
        better,
        bound: Bound { due: Some(due), goal: None },
    };
    vec![
        row("S1: release to the last of 300 webhooks, ms", &apart.last_ms, &together.last_ms, Better::Less, 2.0),
        row("S3: durable accepts over HTTP, 1/s", &apart.http, &together.http, Better::More, 0.5),
        row("S3: durable accepts over gRPC, 1/s", &apart.grpc, &together.grpc, Better::More, 0.5),
    ]
}

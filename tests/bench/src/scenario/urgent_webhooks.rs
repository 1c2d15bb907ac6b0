//! S1: one urgent alert, from the durable release to the last of 300 warm webhooks.
//!
//! The product posts over TLS to 300 host names; so does the floor, a bare hyper client with 300 kept connections. The
//! peer, Alertmanager, posts the same number over plain HTTP, which favours it.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use tocsin_sinks::WebhookSink;

use crate::bell::Bell;
use crate::floor::webhook::BareClient;
use crate::network::members;
use crate::peer::alertmanager::Alertmanager;
use crate::statistics::{median, percentile};
use crate::table::{Better, Bound, Row};

pub(super) const DESTINATIONS: usize = 300;
/// Alerts in one round, after one that warms the connections.
const ALERTS: usize = 10;
const LIMIT: Duration = Duration::from_secs(30);
/// Alertmanager groups an alert that follows too soon with the one before.
const PEER_PAUSE: Duration = Duration::from_millis(1_200);

/// One round of product, floor and peer, in milliseconds.
#[derive(Default)]
struct Rounds {
    product: Vec<f64>,
    floor: Vec<f64>,
    peer: Vec<f64>,
}

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let bell = Bell::hang(members(DESTINATIONS, "webhook")).await?;
    ring(&bell).await.context("the alert that warms the connections")?;
    let body = bell.receivers.webhook.log().all().first().map(|arrival| arrival.item.body.clone()).unwrap_or_default();
    let bodies: Vec<Bytes> = vec![body; DESTINATIONS];
    let sink = &bell.receivers.webhook;
    let mut floor = BareClient::connect(sink.address(), bell.receivers.authority_pem(), DESTINATIONS).await?;
    floor.post_all(&bodies).await?;
    let plain = WebhookSink::start(None, Duration::ZERO).await?;
    let mut peer = if Alertmanager::installed() {
        Some(Alertmanager::start(&folder.path().join("peer"), DESTINATIONS, plain.address()).await?)
    } else {
        eprintln!("S1: prometheus-alertmanager is not installed; the peer is left out");
        None
    };
    if let Some(peer) = &mut peer {
        peer.ring(&plain, DESTINATIONS).await?;
    }
    let mut all = Rounds::default();
    for round in 1..=rounds {
        eprintln!("S1 round {round} of {rounds}");
        let (mut product, mut bare, mut other) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ALERTS {
            bare.push(floor.post_all(&bodies).await?.as_secs_f64() * 1000.0);
            product.push(ring(&bell).await?.as_secs_f64() * 1000.0);
            if let Some(peer) = &mut peer {
                tokio::time::sleep(PEER_PAUSE).await;
                other.push(peer.ring(&plain, DESTINATIONS).await?.as_secs_f64() * 1000.0);
            }
        }
        all.product.push(median(&product));
        all.floor.push(median(&bare));
        all.peer.push(median(&other));
    }
    let starts = bell.ledger().await?.first_starts_ms().await?;
    Ok([rows(&all, peer.is_some()), rows_of_starts(&starts)].concat())
}

/// How long an urgent notice waits from its release to the start of its first attempt, over all alerts.
fn rows_of_starts(starts: &[f64]) -> Vec<Row> {
    let row = |name: &str, share: f64| Row {
        scenario: "S1",
        what: format!("release to first attempt, {name}, ms"),
        figure: percentile(starts, share),
        against: "one second, ms".to_owned(),
        reference: 1_000.0,
        better: Better::Less,
        bound: Bound { due: None, goal: None },
    };
    vec![row("p50", 0.5), row("p99", 0.99)]
}

fn rows(all: &Rounds, with_peer: bool) -> Vec<Row> {
    let row = |against: &str, reference: &[f64], due: f64, goal: f64| Row {
        scenario: "S1",
        what: "release to the last of 300 warm webhooks, ms".to_owned(),
        figure: median(&all.product),
        against: against.to_owned(),
        reference: median(reference),
        better: Better::Less,
        bound: Bound { due: Some(due), goal: Some(goal) },
    };
    let mut rows = vec![row("bare hyper client over TLS", &all.floor, 3.0, 2.0)];
    if with_peer {
        rows.push(row("Alertmanager, 300 routes, plain HTTP", &all.peer, 1.0, 0.5));
    }
    rows
}

/// One alert: from the answer of the release to the last arrival.
pub(super) async fn ring(bell: &Bell) -> Result<Duration> {
    let approved = bell.approve().await?;
    let log = bell.receivers.webhook.log();
    let before = log.count();
    let durable = approved.release().await?;
    tokio::time::timeout(LIMIT, log.reached(before + DESTINATIONS)).await.context("webhooks did not arrive")?;
    let last = log.span().map_or(durable, |(_, last)| last);
    Ok(last.saturating_duration_since(durable))
}

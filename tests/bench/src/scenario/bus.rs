//! The bus: events through outbox, `JetStream`, inbox and settlement, in batches and one by one, beside what PostgreSQL
//! and `JetStream` do alone in the same run; and how long one event takes while nothing else happens.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bus::{Form, Servers};
use crate::floor::{jetstream, postgres};
use crate::statistics::{median, percentile};
use crate::table::{Better, Bound, Row};

/// How long each floor is measured.
const FLOOR_TIME: Duration = Duration::from_secs(3);
/// Transactions and events in each, in batches.
const BATCHES: (usize, usize) = (300, 100);
/// The same one by one.
const ONE_BY_ONE: (usize, usize) = (6_000, 1);
/// Events through the idle road.
const HOPS: usize = 300;
/// Between two of them.
const HOP_PAUSE: Duration = Duration::from_millis(5);
/// The time that a hop may take, in milliseconds.
const HOP_DUE_MS: f64 = 5.0;

#[derive(Default)]
struct Figures {
    commits: Vec<f64>,
    publications: Vec<f64>,
    batches: Vec<f64>,
    one_by_one: Vec<f64>,
    hops: Vec<f64>,
    hops_p99: Vec<f64>,
}

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let servers = Servers::start().await;
    let mut figures = Figures::default();
    for round in 1..=rounds {
        eprintln!("bus round {round} of {rounds}");
        figures.commits.push(postgres::commits_per_second(&servers.database().await, FLOOR_TIME).await?);
        figures.publications.push(jetstream::publications_per_second(&servers.broker(), FLOOR_TIME).await?);
        figures.batches.push(rate(&servers, Form::Batches, BATCHES).await?);
        figures.one_by_one.push(rate(&servers, Form::OneByOne, ONE_BY_ONE).await?);
        let hops = hops(&servers).await?;
        figures.hops.push(median(&hops));
        figures.hops_p99.push(percentile(&hops, 0.99));
    }
    Ok(rows(&figures))
}

/// Events a second, from the first commit to the last settlement.
async fn rate(servers: &Servers, form: Form, (transactions, events): (usize, usize)) -> Result<f64> {
    let mut road = servers.road(form).await?;
    let started = Instant::now();
    road.say(transactions, events).await?;
    road.settled(transactions * events).await?;
    let time = started.elapsed();
    road.close().await?;
    #[expect(clippy::cast_precision_loss, reason = "some ten thousand events")]
    let events = (transactions * events) as f64;
    Ok(events / time.as_secs_f64())
}

/// In milliseconds.
async fn hops(servers: &Servers) -> Result<Vec<f64>> {
    let mut road = servers.road(Form::Batches).await?;
    let mut hops = Vec::with_capacity(HOPS);
    for number in 0..HOPS {
        tokio::time::sleep(HOP_PAUSE).await;
        hops.push(road.hop(number).await?.as_secs_f64() * 1_000.0);
    }
    road.close().await?;
    Ok(hops)
}

fn rows(figures: &Figures) -> Vec<Row> {
    let row = |what: &str, figure: &[f64], against: &str, reference: f64, better: Better, due: Option<f64>| Row {
        scenario: "bus",
        what: what.to_owned(),
        figure: median(figure),
        against: against.to_owned(),
        reference,
        better,
        bound: Bound { due, goal: None },
    };
    let (commits, publications) = (median(&figures.commits), median(&figures.publications));
    let (alone, broker) = ("PostgreSQL commits, 32 connections, 1/s", "JetStream publications, window 256, 1/s");
    let (batches, single) = ("events settled, in batches, 1/s", "events settled, one by one, 1/s");
    let limit = "the limit, ms";
    vec![
        row(batches, &figures.batches, alone, commits, Better::More, Some(0.5)),
        row(batches, &figures.batches, broker, publications, Better::More, None),
        row(single, &figures.one_by_one, alone, commits, Better::More, None),
        row(single, &figures.one_by_one, batches, median(&figures.batches), Better::More, None),
        row("commit to handled, idle, p50, ms", &figures.hops, limit, HOP_DUE_MS, Better::Less, Some(1.0)),
        row("commit to handled, idle, p99, ms", &figures.hops_p99, limit, HOP_DUE_MS, Better::Less, None),
    ]
}

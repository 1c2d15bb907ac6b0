//! S5: an urgent alert to 300 webhooks while 30,000 notices of the bulk lane go out to the same hosts, beside its own idle
//! figure; and what bulk loses by it.

use std::time::Duration;

use anyhow::{Context, Result};

use super::deliveries::{BULK, CONTACTS, COUNTRY, CROWD, HOSTS, all_arrived, release};
use super::slow_webhooks::ring;
use crate::bell::{Bell, Hanging};
use crate::ledger::Ledger;
use crate::network::{network, urgent_members};
use crate::statistics::{median, milliseconds, rate};
use crate::table::{Better, Bound, Row};

/// Idle alerts in one round.
const IDLE: usize = 5;
/// The urgent alert is released when a third of the bulk is out.
const OUT_BEFORE: usize = CONTACTS / 3;
const LIMIT: Duration = Duration::from_mins(1);

#[derive(Default)]
struct Rounds {
    idle: Vec<f64>,
    urgent: Vec<f64>,
    alone: Vec<f64>,
    beside: Vec<f64>,
}

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let everybody = [urgent_members(HOSTS), CROWD.organisations()].concat();
    let bell = Bell::hang_as(network(&everybody), Hanging { with_hooks: true, ..Hanging::default() }).await?;
    ring(&bell, HOSTS).await.context("the alert that warms the connections")?;
    let ledger = bell.ledger().await?;
    let mut all = Rounds::default();
    for round in 1..=rounds {
        eprintln!("S5 round {round} of {rounds}");
        let mut idle = Vec::new();
        for _ in 0..IDLE {
            idle.push(milliseconds(ring(&bell, HOSTS).await?));
        }
        all.idle.push(median(&idle));
        all.alone.push(bulk_alone(&bell).await?);
        let (urgent, beside) = bulk_and_urgent(&bell).await?;
        // Ends of attempts are written some time after the attempts.
        let written =
            async |ledger: &Ledger| -> Result<bool> { Ok(ledger.attempts(BULK).await? == CONTACTS * 2 * round) };
        ledger.until("every attempt is recorded", LIMIT, written).await?;
        let [known, first, last, ended] = ledger.newest_urgent_road_ms().await?;
        eprintln!(
            "  idle {:.1} ms, beside bulk {:.1} ms: known after {known} ms, attempts begun after {first} to {last} ms, \
             ended after {ended} ms",
            median(&idle),
            milliseconds(urgent)
        );
        all.urgent.push(milliseconds(urgent));
        all.beside.push(beside);
    }
    Ok(rows(&all))
}

/// Deliveries a second.
async fn bulk_alone(bell: &Bell) -> Result<f64> {
    let released = release(bell, &bell.approve_bulk(COUNTRY).await?).await?;
    all_arrived(bell, CONTACTS).await?;
    Ok(rate(CONTACTS, released.elapsed()))
}

/// The time to the last urgent answer, and bulk's deliveries a second.
async fn bulk_and_urgent(bell: &Bell) -> Result<(Duration, f64)> {
    let (urgent, bulk) = (bell.approve().await?, bell.approve_bulk(COUNTRY).await?);
    let log = bell.hooks()?.urgent();
    log.clear();
    let released = release(bell, &bulk).await?;
    all_arrived(bell, OUT_BEFORE).await?;
    let durable = urgent.release().await?;
    tokio::time::timeout(LIMIT, log.reached(HOSTS)).await.context("urgent webhooks did not arrive beside bulk")?;
    let last = log.span().map_or(durable, |(_, last)| last);
    anyhow::ensure!(bell.hooks()?.bulk().count() < CONTACTS, "the bulk was over before the urgent alert was");
    all_arrived(bell, CONTACTS).await?;
    Ok((last.saturating_duration_since(durable), rate(CONTACTS, released.elapsed())))
}

fn rows(all: &Rounds) -> Vec<Row> {
    vec![
        Row {
            scenario: "S5",
            what: "release to the last of 300 webhooks during 30,000 bulk, ms".to_owned(),
            figure: median(&all.urgent),
            against: "the same, idle".to_owned(),
            reference: median(&all.idle),
            better: Better::Less,
            bound: Bound { due: Some(5.0), goal: Some(3.0) },
        },
        Row {
            scenario: "S5",
            what: "bulk deliveries beside the urgent alert, 1/s".to_owned(),
            figure: median(&all.beside),
            against: "bulk alone".to_owned(),
            reference: median(&all.alone),
            better: Better::More,
            bound: Bound { due: None, goal: Some(0.9) },
        },
    ]
}

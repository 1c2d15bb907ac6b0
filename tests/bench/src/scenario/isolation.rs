//! Isolation: 300 hosts, half of them hung, dripping, endless, resetting, answering 429 or 500. How far does the p99 of the
//! healthy half move against control rounds, in which all are healthy?
//!
//! Healthy hosts answer after 50 ms, as over a network. Each round rings several alerts one after the other, so that what
//! fails and is tried again piles up; then the action is stopped, and the next round begins when nothing moves any more.

use std::time::Duration;

use anyhow::{Context, Result};

use super::urgent_webhooks::DESTINATIONS;
use crate::bell::{Approved, Bell, Hanging};
use crate::hooks::Way;
use crate::ledger::Ledger;
use crate::network::members;
use crate::statistics::{median, milliseconds, percentile};
use crate::table::{Better, Bound, Row};

const HEALTHY: usize = DESTINATIONS / 2;
/// As many control rounds alternate with as many rounds with faults, at least.
const ROUNDS_MIN: usize = 7;
/// Alerts in one round.
const ALERTS: usize = 4;
const ANSWER_DELAY: Duration = Duration::from_millis(50);
const FAULTS: [Way; 6] = [Way::Hung, Way::Dripping, Way::Endless, Way::Reset, Way::Throttled, Way::Broken];
/// The lane's number in the ledger.
const URGENT: i64 = 0;
const LIMIT: Duration = Duration::from_mins(1);
/// Controls agree when none is farther than this from their median, as a share of it.
const AGREEMENT: f64 = 0.1;

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let rounds = rounds.max(ROUNDS_MIN);
    let hanging = Hanging { with_hooks: true, ..Hanging::default() };
    let bell = Bell::hang_as(members(DESTINATIONS, "webhook"), hanging).await?;
    let ledger = bell.ledger().await?;
    let hooks = bell.hooks()?;
    hooks.answer(|_| Way::Well(ANSWER_DELAY));
    round(&bell, &ledger).await.context("the alerts that warm the connections")?;
    let (mut controls, mut tried) = (Vec::new(), Vec::new());
    for number in 1..=rounds {
        hooks.answer(|_| Way::Well(ANSWER_DELAY));
        let control = round(&bell, &ledger).await.context("a control round")?;
        hooks.answer(|post| with_faults(post.host));
        let fault = round(&bell, &ledger).await.context("a round with faults")?;
        eprintln!("isolation round {number} of {rounds}: p99 {control:.1} ms, with faults {fault:.1} ms");
        controls.push(control);
        tried.push(fault);
    }
    let apart = spread(&controls);
    let agree = if apart <= AGREEMENT { "agree" } else { "disagree" };
    Ok(vec![Row {
        scenario: "isolation",
        what: "p99 of 150 healthy webhooks beside 150 faulty ones, ms".to_owned(),
        figure: median(&tried),
        against: format!("all healthy, whose rounds {agree} within {:.0} %", apart * 100.0),
        reference: median(&controls),
        better: Better::Less,
        bound: Bound { due: Some(1.1), goal: None },
    }])
}

/// The first half is healthy; the faults take turns in the other one.
fn with_faults(host: usize) -> Way {
    let fault = host.checked_sub(HEALTHY + 1).and_then(|place| FAULTS.get(place % FAULTS.len()));
    fault.copied().unwrap_or(Way::Well(ANSWER_DELAY))
}

/// The p99 of the time from the durable release to the answer of a healthy host, over some alerts, in milliseconds.
async fn round(bell: &Bell, ledger: &Ledger) -> Result<f64> {
    let (mut times, mut alerts) = (Vec::new(), Vec::new());
    for _ in 0..ALERTS {
        let approved = bell.approve().await?;
        times.extend(ring(bell, &approved).await?);
        alerts.push(approved);
    }
    for alert in &alerts {
        alert.stop().await?;
    }
    let at_rest = async |ledger: &Ledger| -> Result<bool> { Ok(ledger.moving(URGENT).await? == 0) };
    ledger.until("nothing moves after the action was stopped", LIMIT, at_rest).await?;
    Ok(percentile(&times, 0.99))
}

async fn ring(bell: &Bell, approved: &Approved<'_>) -> Result<Vec<f64>> {
    let log = bell.hooks()?.urgent();
    log.clear();
    let durable = approved.release().await?;
    let mut wanted = HEALTHY;
    loop {
        tokio::time::timeout(LIMIT, log.reached(wanted)).await.context("healthy webhooks did not arrive")?;
        let arrived = log.all();
        wanted = arrived.len() + 1;
        let healthy: Vec<_> = arrived.into_iter().filter(|arrival| arrival.item <= HEALTHY).collect();
        if healthy.len() >= HEALTHY {
            let times = healthy.iter().map(|arrival| milliseconds(arrival.at.saturating_duration_since(durable)));
            return Ok(times.collect());
        }
    }
}

/// How far the farthest is from the median, as a share of it.
fn spread(figures: &[f64]) -> f64 {
    let middle = median(figures);
    figures.iter().map(|figure| (figure - middle).abs() / middle).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_hosts_fail_in_six_ways() {
        assert_eq!(with_faults(1), Way::Well(ANSWER_DELAY));
        assert_eq!(with_faults(HEALTHY), Way::Well(ANSWER_DELAY));
        assert_eq!(with_faults(HEALTHY + 1), Way::Hung);
        assert_eq!(with_faults(DESTINATIONS), Way::Broken);
    }

    #[test]
    fn the_farthest_one_counts() {
        assert!((spread(&[10.0, 11.0, 8.0]) - 0.2).abs() < 1e-9);
    }
}

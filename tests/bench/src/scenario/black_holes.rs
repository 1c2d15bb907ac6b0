//! S11: S1 with a tenth of the hosts black-holed, from the durable release to the last healthy host, beside S1 itself on
//! an installation of its own, in turns. What cannot be delivered is tried again meanwhile, as the schedule says.

use anyhow::{Context, Result};

use super::slow_webhooks::ring;
use super::urgent_webhooks::DESTINATIONS;
use crate::bell::{Bell, Hanging};
use crate::hole::Hole;
use crate::network::{host_of, members};
use crate::statistics::{median, milliseconds};
use crate::table::{Better, Bound, Row};

const HOLES: usize = DESTINATIONS / 10;
/// Alerts in one round, after one that warms the connections.
const ALERTS: usize = 5;

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let hole = Hole::open().await?;
    let elsewhere = (1..=HOLES).map(|number| (host_of(number), hole.address)).collect();
    let network = || members(DESTINATIONS, "webhook");
    let well = Bell::hang_as(network(), Hanging { with_hooks: true, ..Hanging::default() }).await?;
    let holed = Bell::hang_as(network(), Hanging { with_hooks: true, elsewhere, ..Hanging::default() }).await?;
    ring(&well, DESTINATIONS).await.context("the alert that warms the connections")?;
    ring(&holed, DESTINATIONS - HOLES).await.context("the alert that warms the connections of healthy hosts")?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("S11 round {round} of {rounds}");
        let (mut rings, mut holed_rings) = (Vec::new(), Vec::new());
        for _ in 0..ALERTS {
            rings.push(milliseconds(ring(&well, DESTINATIONS).await?));
            holed_rings.push(milliseconds(ring(&holed, DESTINATIONS - HOLES).await?));
        }
        eprintln!("  {:.1} ms, {:.1} ms with black holes", median(&rings), median(&holed_rings));
        without.push(median(&rings));
        with.push(median(&holed_rings));
    }
    Ok(vec![Row {
        scenario: "S11",
        what: "release to the last of 270 healthy webhooks beside 30 black holes, ms".to_owned(),
        figure: median(&with),
        against: "300 healthy ones".to_owned(),
        reference: median(&without),
        better: Better::Less,
        bound: Bound { due: Some(1.3), goal: Some(1.1) },
    }])
}

//! S2: S1 with receivers that answer after 50 ms, as over a network: from the durable release to the last answer.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;

use super::urgent_webhooks::DESTINATIONS;
use crate::bell::{Bell, Hanging};
use crate::floor::webhook::BareClient;
use crate::hooks::Way;
use crate::network::members;
use crate::statistics::{median, milliseconds};
use crate::table::{Better, Bound, Row};

/// Alerts in one round, after one that warms the connections.
const ALERTS: usize = 10;
const ANSWER_DELAY: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let hanging = Hanging { with_hooks: true, ..Hanging::default() };
    let bell = Bell::hang_as(members(DESTINATIONS, "webhook"), hanging).await?;
    let hooks = bell.hooks()?;
    hooks.answer(|_| Way::Well(ANSWER_DELAY));
    ring(&bell, DESTINATIONS).await.context("the alert that warms the connections")?;
    let bodies: Vec<Bytes> = vec![hooks.sample(); DESTINATIONS];
    let mut floor = BareClient::connect(hooks.address, bell.receivers.authority_pem(), DESTINATIONS).await?;
    floor.post_all(&bodies).await?;
    let (mut product, mut bare) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("S2 round {round} of {rounds}");
        let (mut rings, mut posts) = (Vec::new(), Vec::new());
        for _ in 0..ALERTS {
            posts.push(milliseconds(floor.post_all(&bodies).await?));
            rings.push(milliseconds(ring(&bell, DESTINATIONS).await?));
        }
        product.push(median(&rings));
        bare.push(median(&posts));
    }
    Ok(vec![Row {
        scenario: "S2",
        what: "release to the last of 300 warm webhooks that answer after 50 ms, ms".to_owned(),
        figure: median(&product),
        against: "bare hyper client over TLS".to_owned(),
        reference: median(&bare),
        better: Better::Less,
        bound: Bound { due: Some(1.5), goal: Some(1.2) },
    }])
}

/// One urgent alert to the receiver for load: from the answer of the release to the last of so many answers.
pub(super) async fn ring(bell: &Bell, answers: usize) -> Result<Duration> {
    let approved = bell.approve().await?;
    let log = bell.hooks()?.urgent();
    log.clear();
    let durable = approved.release().await?;
    tokio::time::timeout(LIMIT, log.reached(answers)).await.context("webhooks did not arrive")?;
    let last = log.span().map_or(durable, |(_, last)| last);
    Ok(last.saturating_duration_since(durable))
}

//! S4: webhook deliveries a second in the bulk lane, until every attempt is recorded durably. The floor is a bare hyper
//! client that keeps 300 TLS connections to the same receiver busy and records nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::bell::{Approved, Bell, Hanging};
use crate::floor::webhook::BareClient;
use crate::ledger::{Ledger, now_ms};
use crate::network::{Crowd, network};
use crate::statistics::{median, rate};
use crate::table::{Better, Bound, Row};

pub(super) const HOSTS: usize = 300;
pub(super) const CONTACTS: usize = 30_000;
/// The lane's number in the ledger.
pub(super) const BULK: i64 = 2;
/// The country that the crowd's alerts are about.
pub(super) const COUNTRY: &str = "XG";
pub(super) const REGION: &str = "americas";
const LIMIT: Duration = Duration::from_mins(5);

pub(super) const CROWD: Crowd = Crowd { name: "crowd", contacts: CONTACTS, hosts: HOSTS, region: REGION };

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let hanging = Hanging { with_hooks: true, ..Hanging::default() };
    let bell = Bell::hang_as(network(&CROWD.organisations()), hanging).await?;
    let ledger = bell.ledger().await?;
    let hooks = bell.hooks()?;
    let (mut product, mut bare) = (Vec::new(), Vec::new());
    let mut floor = None;
    for round in 1..=rounds {
        eprintln!("S4 round {round} of {rounds}");
        let recorded = ledger.attempts(BULK).await?;
        release(&bell, &bell.approve_bulk(COUNTRY).await?).await?;
        let durable = now_ms();
        all_recorded(&bell, &ledger, recorded + CONTACTS).await?;
        let seconds = (ledger.last_change_ms(BULK).await? - durable) / 1_000.0;
        product.push(rate(CONTACTS, Duration::try_from_secs_f64(seconds)?));
        let client = match &mut floor {
            Some(client) => client,
            // The body to post is known by now.
            None => floor.insert(BareClient::connect(hooks.address, bell.receivers.authority_pem(), HOSTS).await?),
        };
        bare.push(client.sustain(&hooks.sample(), CONTACTS).await?);
    }
    Ok(vec![Row {
        scenario: "S4",
        what: "webhook deliveries with every attempt recorded, 1/s".to_owned(),
        figure: median(&product),
        against: "bare hyper client over TLS, sustained".to_owned(),
        reference: median(&bare),
        better: Better::More,
        bound: Bound { due: Some(0.25), goal: Some(0.4) },
    }])
}

/// Releases an alert to a crowd.
pub(super) async fn release(bell: &Bell, approved: &Approved<'_>) -> Result<Instant> {
    bell.hooks()?.bulk().clear();
    approved.release().await
}

/// Waits until every delivery of the crowd's alert has arrived and so many attempts are written.
async fn all_recorded(bell: &Bell, ledger: &Ledger, attempts: usize) -> Result<()> {
    all_arrived(bell, CONTACTS).await?;
    let written = async |ledger: &Ledger| -> Result<bool> { Ok(ledger.attempts(BULK).await? >= attempts) };
    ledger.until("every attempt is recorded", LIMIT, written).await
}

/// Waits until so many deliveries of the bulk lane have arrived.
pub(super) async fn all_arrived(bell: &Bell, deliveries: usize) -> Result<()> {
    let arrived = bell.hooks()?.bulk().reached(deliveries);
    tokio::time::timeout(LIMIT, arrived).await.context("deliveries of the bulk lane did not arrive")
}

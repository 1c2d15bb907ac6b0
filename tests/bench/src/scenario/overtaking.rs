//! Overtaking: an urgent notice behind more than 100,000 of the bulk lane, to a host that is busy with them, from the
//! durable release to the start of its attempt; and the memory of the process meanwhile.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::deliveries::{BULK, COUNTRY, HOSTS, REGION, release};
use crate::bell::{Bell, Hanging};
use crate::hooks::{Hooks, Way};
use crate::ledger::{Ledger, now_ms};
use crate::network::{Crowd, network, urgent_members};
use crate::statistics::{median, percentile};
use crate::table::{Better, Bound, Row};

const QUEUED_MIN: usize = 100_000;
/// What may leave while the tries are made.
const SPARE: usize = 10_000;
const TRIES: usize = 40;
/// Hosts take their time over bulk, so that the backlog stays.
const BULK_DELAY: Duration = Duration::from_secs(3);
const START_DUE_MS: f64 = 1_000.0;
const MEMORY_DUE_MIB: f64 = 200.0;
const LIMIT: Duration = Duration::from_mins(3);

pub(crate) async fn run() -> Result<Vec<Row>> {
    let crowd = Crowd { name: "crowd", contacts: QUEUED_MIN + SPARE, hosts: HOSTS, region: REGION };
    eprintln!("overtaking: {} contacts are imported", crowd.contacts);
    let everybody = [urgent_members(1), crowd.organisations()].concat();
    let bell = Bell::hang_as(network(&everybody), Hanging { with_hooks: true, ..Hanging::default() }).await?;
    let (ledger, hooks) = (bell.ledger().await?, bell.hooks()?);
    hooks.answer(|post| Way::Well(if post.is_bulk { BULK_DELAY } else { Duration::ZERO }));
    release(&bell, &bell.approve_bulk(COUNTRY).await?).await?;
    let queued = async |ledger: &Ledger| -> Result<bool> {
        Ok(ledger.moving(BULK).await? + hooks.bulk().count() >= crowd.contacts)
    };
    ledger.until("the crowd's notices are queued", LIMIT, queued).await?;
    eprintln!("overtaking: {} notices are queued", ledger.moving(BULK).await?);
    let mut starts = Vec::new();
    for number in 1..=TRIES {
        starts.push(start_ms(&bell, &ledger, hooks, number).await?);
    }
    let left = ledger.moving(BULK).await?;
    ensure!(left >= QUEUED_MIN, "only {left} notices were left behind which an urgent one could be put");
    let memory = bell.peak_memory_mib()?;
    eprintln!("overtaking: {left} are left; starts p50 {:.0} ms; {memory:.0} MiB", median(&starts));
    let row = |what: &str, figure: f64, against: &str, reference: f64| Row {
        scenario: "overtaking",
        what: what.to_owned(),
        figure,
        against: against.to_owned(),
        reference,
        better: Better::Less,
        bound: Bound { due: Some(1.0), goal: None },
    };
    Ok(vec![
        row("release to start behind 100,000 bulk, p99, ms", percentile(&starts, 0.99), "one second, ms", START_DUE_MS),
        row("peak memory with 100,000 queued, MiB", memory, "200 MiB", MEMORY_DUE_MIB),
    ])
}

/// The milliseconds from the durable release of the urgent alert of this number to the start of its only attempt.
async fn start_ms(bell: &Bell, ledger: &Ledger, hooks: &Hooks, number: usize) -> Result<f64> {
    let approved = bell.approve().await?;
    approved.release().await?;
    let durable = now_ms();
    tokio::time::timeout(LIMIT, hooks.urgent().reached(number)).await.context("an urgent notice did not arrive")?;
    let written = async |ledger: &Ledger| -> Result<bool> { Ok(ledger.urgent_starts_ms().await?.len() >= number) };
    ledger.until("the urgent attempt is recorded", LIMIT, written).await?;
    let last = ledger.urgent_starts_ms().await?.into_iter().fold(0.0, f64::max);
    Ok((last - durable).max(0.0))
}

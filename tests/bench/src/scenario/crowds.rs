//! S9: what a recipient costs at 100,000 against 1,000, and how much the process grows by them.

use anyhow::Result;

use super::deliveries::{HOSTS, REGION, all_arrived, release};
use crate::bell::{Bell, Hanging};
use crate::network::{Crowd, network};
use crate::statistics::median;
use crate::table::{Better, Bound, Row};

const FEW: usize = 1_000;
const MANY: usize = 100_000;
/// Alerts to the few in one round; the first one warms the connections.
const ALERTS: usize = 6;
/// One country of each crowd's region.
const COUNTRY_OF_FEW: &str = "XM";
const COUNTRY_OF_MANY: &str = "XG";
const GROWTH_DUE_MIB: f64 = 200.0;
/// 64 MiB.
const GROWTH_GOAL: f64 = 0.32;

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let (mut of_few, mut of_many, mut growth) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("S9 round {round} of {rounds}: {} contacts are imported", FEW + MANY);
        let few = Crowd { name: "few", contacts: FEW, hosts: HOSTS, region: "asia" };
        let many = Crowd { name: "many", contacts: MANY, hosts: HOSTS, region: REGION };
        let network = network(&[few.organisations(), many.organisations()].concat());
        let bell = Bell::hang_as(network, Hanging { with_hooks: true, ..Hanging::default() }).await?;
        let mut alerts = Vec::new();
        for _ in 0..ALERTS {
            alerts.push(microseconds_each(&bell, COUNTRY_OF_FEW, FEW).await?);
        }
        of_few.push(median(alerts.get(1..).unwrap_or_default()));
        let before = bell.present_memory_mib()?;
        let each = microseconds_each(&bell, COUNTRY_OF_MANY, MANY).await?;
        let peak = bell.peak_memory_mib()?;
        eprintln!(
            "  {:.0} us each at 1,000, {each:.0} us at 100,000; {before:.0} MiB, then at most {peak:.0}",
            median(&alerts)
        );
        of_many.push(each);
        growth.push(peak - before);
    }
    let row = |what: &str, figures: &[f64], against: &str, reference: f64, due: f64, goal: f64| Row {
        scenario: "S9",
        what: what.to_owned(),
        figure: median(figures),
        against: against.to_owned(),
        reference,
        better: Better::Less,
        bound: Bound { due: Some(due), goal: Some(goal) },
    };
    Ok(vec![
        row("a webhook's cost at 100,000, us", &of_many, "at 1,000", median(&of_few), 1.3, 1.1),
        row("growth of memory by 100,000, MiB", &growth, "200 MiB", GROWTH_DUE_MIB, 1.0, GROWTH_GOAL),
    ])
}

/// From the durable release to the last arrival, by recipient.
async fn microseconds_each(bell: &Bell, country: &str, recipients: usize) -> Result<f64> {
    let released = release(bell, &bell.approve_bulk(country).await?).await?;
    all_arrived(bell, recipients).await?;
    #[expect(clippy::cast_precision_loss, reason = "at most 100,000")]
    let recipients = recipients as f64;
    Ok(released.elapsed().as_secs_f64() * 1_000_000.0 / recipients)
}

//! `make bench`: the product beside its floors and peers, in one run on one machine. Figures drift from machine to
//! machine and hour to hour; the ratios are what counts.

mod bell;
mod bus;
mod floor;
mod hole;
mod hooks;
mod ledger;
mod network;
mod peer;
mod report;
mod scenario;
mod statistics;
mod table;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use crate::table::Row;

/// Measures the product beside what the machine allows and what others reach.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these scenarios, separated by commas.
    #[arg(long, value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// Rounds of each; the table shows medians.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print the rows as JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Release to the last of 300 warm webhooks.
    S1,
    /// The same with receivers that answer after 50 ms.
    S2,
    /// Durable accepts a second.
    S3,
    /// Webhook deliveries a second, every attempt recorded.
    S4,
    /// 300 urgent webhooks during 30,000 bulk.
    S5,
    /// 1,000 e-mails over 20 sessions.
    S6,
    /// 300 e-mails through a relay that answers after 300 ms.
    S7,
    /// What a recipient costs at 100,000, and memory.
    S9,
    /// 3,000 text messages with both receipts.
    S10,
    /// S1 with a tenth of the hosts black-holed.
    S11,
    /// The healthy half beside a faulty half.
    Isolation,
    /// An urgent notice behind 100,000 bulk, and memory.
    Overtaking,
    /// 2,760 notices of one alert, and memory.
    D,
    /// S1 and S3 with the services apart, beside the embedded form.
    Apart,
    /// Events through outbox, `JetStream`, inbox and settlement.
    Bus,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let chosen = if arguments.scenario.is_empty() { Scenario::value_variants() } else { &arguments.scenario[..] };
    let mut rows = Vec::new();
    for scenario in chosen {
        rows.extend(Box::pin(measure(*scenario, arguments.rounds)).await?);
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&rows)?);
    } else {
        table::print(&rows);
    }
    Ok(())
}

async fn measure(scenario: Scenario, rounds: usize) -> Result<Vec<Row>> {
    match scenario {
        Scenario::S1 => scenario::urgent_webhooks::run(rounds).await,
        Scenario::S2 => scenario::slow_webhooks::run(rounds).await,
        Scenario::S3 => scenario::accepts::run(rounds).await,
        Scenario::S4 => scenario::deliveries::run(rounds).await,
        Scenario::S5 => scenario::beside_bulk::run(rounds).await,
        Scenario::S6 => scenario::mails::run(rounds).await,
        Scenario::S7 => scenario::slow_relay::run(rounds).await,
        Scenario::S9 => scenario::crowds::run(rounds).await,
        Scenario::S10 => scenario::text_messages::run(rounds).await,
        Scenario::S11 => scenario::black_holes::run(rounds).await,
        Scenario::Isolation => scenario::isolation::run(rounds).await,
        Scenario::Overtaking => scenario::overtaking::run().await,
        Scenario::D => scenario::open_network::run(rounds).await,
        Scenario::Apart => scenario::apart::run(rounds).await,
        Scenario::Bus => scenario::bus::run(rounds).await,
    }
}

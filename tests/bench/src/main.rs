//! `make bench`: the product beside its floors and peers, in one run on one machine. Figures drift from machine to
//! machine and hour to hour; the ratios are what counts.

mod bell;
mod bus;
mod floor;
mod peer;
mod report;
mod scenario;
mod statistics;
mod table;

use anyhow::Result;
use clap::{Parser, ValueEnum};

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
    /// Durable accepts a second.
    S3,
    /// 1,000 e-mails over 20 sessions.
    S6,
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
        let measured = match scenario {
            Scenario::S1 => scenario::urgent_webhooks::run(arguments.rounds).await?,
            Scenario::S3 => scenario::accepts::run(arguments.rounds).await?,
            Scenario::S6 => scenario::mails::run(arguments.rounds).await?,
            Scenario::D => scenario::open_network::run(arguments.rounds).await?,
            Scenario::Apart => scenario::apart::run(arguments.rounds).await?,
            Scenario::Bus => scenario::bus::run(arguments.rounds).await?,
        };
        rows.extend(measured);
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&rows)?);
    } else {
        table::print(&rows);
    }
    Ok(())
}

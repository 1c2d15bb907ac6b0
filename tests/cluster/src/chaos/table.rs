//! What a trial prints: the faults with the longest time until a report came through again, the figures, and what was
//! lost by name.

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{Table, presets};

use super::plan::Kind;
use crate::ledger::judge::Verdict;

/// One kind of fault.
#[derive(Debug, Default, Clone)]
pub struct Row {
    /// How often it was made.
    pub times: usize,
    /// How many processes died of it.
    pub killed: usize,
    /// The longest from the moment at which the fault was lifted (for a kill: from the kill) until a new report came
    /// through intake, the bus and triage and back.
    pub recovered: Duration,
    /// Why it was not made.
    pub skipped: Option<String>,
}

/// The faults.
pub type Rows = BTreeMap<Kind, Row>;

/// Prints the faults.
pub fn print_faults(rows: &Rows) {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_header(["fault", "times", "killed", "longest time to recover"]);
    for (kind, row) in rows {
        let time = match &row.skipped {
            Some(why) => format!("skipped: {why}"),
            None => format!("{:.1} s", row.recovered.as_secs_f64()),
        };
        table.add_row([kind.to_string(), row.times.to_string(), row.killed.to_string(), time]);
    }
    println!("{table}");
}

/// Prints the figures and everything that must not be.
pub fn print_verdict(verdict: &Verdict, retries: usize, rested: Duration) {
    println!(
        "reports acknowledged {} | alerts released {} | notices {} | lost {}",
        verdict.reports,
        verdict.alerts,
        verdict.notices,
        verdict.lost.len()
    );
    println!(
        "repeats {} (most for one recipient {}) | without a cause {} | responses {} | clients' retries {retries}",
        verdict.repeats,
        verdict.repeats_worst,
        verdict.doubled.len(),
        verdict.responses,
    );
    println!(
        "at rest {:.1} s after the last fault | slowest first arrival {:.1} s after its release: {} | states {:?}",
        rested.as_secs_f64(),
        verdict.slowest.0.as_secs_f64(),
        verdict.slowest.1,
        verdict.states
    );
    for (what, sentences) in [("LOST", &verdict.lost), ("DOUBLED", &verdict.doubled), ("WRONG", &verdict.wrong)] {
        for sentence in sentences {
            println!("{what}: {sentence}");
        }
    }
}

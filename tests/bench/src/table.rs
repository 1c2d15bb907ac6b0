//! The harness's own table: every figure beside its floor and its peer of the same run.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

/// Whether less or more of a figure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Better {
    /// Times and memory.
    Less,
    /// Rates.
    More,
}

/// A bound on the ratio of a figure to another of the same run.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Bound {
    /// The ratio owed.
    pub(crate) due: Option<f64>,
    /// The ratio aimed at.
    pub(crate) goal: Option<f64>,
}

/// One line: a figure, what it is compared with, and what is owed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    /// What was measured, with its unit.
    pub(crate) what: String,
    /// The median over the rounds.
    pub(crate) figure: f64,
    /// What it is compared with, as `bare hyper client`.
    pub(crate) against: String,
    /// The median of that.
    pub(crate) reference: f64,
    pub(crate) better: Better,
    pub(crate) bound: Bound,
}

impl Row {
    /// The figure as a multiple of what it is compared with.
    pub(crate) fn ratio(&self) -> f64 {
        self.figure / self.reference
    }

    fn meets(&self, bound: Option<f64>) -> &'static str {
        match (bound, self.better) {
            (None, _) => "",
            (Some(bound), Better::Less) if self.ratio() <= bound => "met",
            (Some(bound), Better::More) if self.ratio() >= bound => "met",
            (Some(_), _) => "missed",
        }
    }
}

/// Prints all rows, on standard output.
pub(crate) fn print(rows: &[Row]) {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["", "what", "figure", "against", "", "ratio", "due", "", "goal", ""]);
    for row in rows {
        let bound = |bound: Option<f64>| bound.map(|bound| format!("{bound:.2}")).unwrap_or_default();
        table.add_row([
            row.scenario.to_owned(),
            row.what.clone(),
            number(row.figure),
            row.against.clone(),
            number(row.reference),
            format!("{:.2}", row.ratio()),
            bound(row.bound.due),
            row.meets(row.bound.due).to_owned(),
            bound(row.bound.goal),
            row.meets(row.bound.goal).to_owned(),
        ]);
    }
    println!("{table}");
}

fn number(value: f64) -> String {
    if value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

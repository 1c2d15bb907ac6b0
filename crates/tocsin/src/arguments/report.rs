//! `tocsin report`: for whoever reports, and holds the receipt.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `tocsin report`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Report {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ReportCommand,
}

/// What a reporter may do.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Submit a report and get its receipt: eight words, shown once.
    #[command(after_help = "The file is one JSON object, the same as the body of POST /v1/reports.

Examples:
  tocsin report submit report.json
  tocsin report submit - < report.json
  tocsin report submit report.json --json | jq -r .receipt")]
    Submit(Submit),
    /// Show what became of a report and what was answered.
    #[command(after_help = RECEIPT_HELP)]
    Show(Receipt),
    /// Add something to a report.
    #[command(after_help = "Examples:
  tocsin report add 'They came back this morning.'
  TOCSIN_RECEIPT='...' tocsin report add - < more.txt")]
    Add(Add),
}

const RECEIPT_HELP: &str =
    "Without --receipt and TOCSIN_RECEIPT the receipt is asked for, which leaves the least trace.

Examples:
  tocsin report show
  TOCSIN_RECEIPT='...' tocsin report show --json";

/// `tocsin report submit`
#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// The report; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Keep this over retries, and a report is taken once however often it is sent; 8 to 128 visible characters. One is
    /// made if none is given.
    #[arg(long, value_name = "TEXT")]
    pub(crate) idempotency_key: Option<String>,
}

/// The receipt of a report.
#[derive(Debug, Args)]
pub(crate) struct Receipt {
    /// The eight words. Better given in `TOCSIN_RECEIPT` or when asked: arguments are visible to others on the machine.
    #[arg(long, value_name = "WORDS", env = "TOCSIN_RECEIPT", hide_env_values = true)]
    pub(crate) receipt: Option<String>,
}

/// `tocsin report add`
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// What to add; `-` reads it from standard input.
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
    /// The receipt of the report.
    #[command(flatten)]
    pub(crate) receipt: Receipt,
    /// Keep this over retries, and the message is taken once. One is made if none is given.
    #[arg(long, value_name = "TEXT")]
    pub(crate) idempotency_key: Option<String>,
}

//! `tocsin bus`: the bus between services, for operators.

use chrono::{DateTime, FixedOffset};
use clap::{ArgGroup, Args, Subcommand};
use tocsin_proto::catalogue::Service;

use super::parse;

/// `tocsin bus`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Bus {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: BusCommand,
}

/// What is done with the bus.
#[derive(Debug, Subcommand)]
pub(crate) enum BusCommand {
    /// Whether the broker answers, what it has and how that drifted, what is owed, and what needs a person.
    #[command(after_help = "Example:\n  tocsin bus status --service triage")]
    Status(Asked),
    /// List the events that could not be taken, without their content.
    #[command(after_help = "Example:\n  tocsin bus dead-letters")]
    DeadLetters(Asked),
    /// Have events run again: dead letters, after the cause is mended, or all since a time, after a restore.
    #[command(after_help = "Examples:
  tocsin bus redrive --dead-letter 019812ab-...
  tocsin bus redrive --all --service triage
  tocsin bus redrive --since 2026-07-05T12:00:00+00:00 --service intake")]
    Redrive(Redrive),
    /// List what the broker said about deliveries that it will not make again. Nothing is lost by it: the outbox says
    /// those events anew.
    #[command(after_help = "Example:\n  tocsin bus advisories")]
    Advisories(Asked),
}

/// Whom to ask.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// intake, triage, dispatch or notification; all four if none is named.
    #[arg(long, value_parser = parse::service())]
    pub(crate) service: Option<Service>,
}

/// `tocsin bus redrive`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["dead_letter", "kind", "all", "since"]))]
pub(crate) struct Redrive {
    /// The dead letter of this event.
    #[arg(long, value_name = "ID")]
    pub(crate) dead_letter: Option<String>,
    /// All dead letters of this kind, as report.received.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// All dead letters.
    #[arg(long)]
    pub(crate) all: bool,
    /// Not dead letters, but every event that the service has said since this moment.
    #[arg(long, value_name = "TIME", value_parser = parse::moment, requires = "service")]
    pub(crate) since: Option<DateTime<FixedOffset>>,
    /// The service that could not take the dead letters (all four if none is named), or that said the events.
    #[arg(long, value_parser = parse::service())]
    pub(crate) service: Option<Service>,
}

//! `tocsin org` and `tocsin staff`: who is in the network and how they are reached.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `tocsin org`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Organisation {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: OrganisationCommand,
}

/// What is done with organisations.
#[derive(Debug, Subcommand)]
pub(crate) enum OrganisationCommand {
    /// Create or replace the organisations and contacts of a network file. The same file twice changes nothing.
    #[command(
        after_help = "For each new contact a shared word is made (it proves to them that an SMS is ours), and for each new webhook a
secret. They are told once: --secrets keeps them, to be handed over on another road.

Examples:
  tocsin org import network.json --secrets handover.json
  fixtures/make-network --members 40 | tocsin org import -"
    )]
    Import(Import),
    /// List organisations.
    #[command(after_help = "Example:\n  tocsin org list --json")]
    List,
    /// Issue a key to the delegate of an organisation.
    #[command(after_help = "Example:\n  tocsin org key org-014 --save org-014.key")]
    Key(OrganisationKey),
}

/// `tocsin org import` and `tocsin staff import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Write the secrets that were made to this new file, which only you may read.
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets: Option<PathBuf>,
}

/// `tocsin org key`
#[derive(Debug, Args)]
pub(crate) struct OrganisationKey {
    /// The organisation's id.
    #[arg(value_name = "ORGANISATION")]
    pub(crate) organisation: String,
    /// A name for the list of keys.
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// Write the key to this new file, which only you may read, instead of showing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
}

/// `tocsin staff`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Staff {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: StaffCommand,
}

/// What is done with staff.
#[derive(Debug, Subcommand)]
pub(crate) enum StaffCommand {
    /// Create or replace the contacts of staff, whose ids the duty roster of the settings names.
    #[command(after_help = "The file is a JSON list of contacts as they stand in a network file:
  [{\"id\": \"staff-duty-1\", \"role\": \"duty\", \"language\": \"en\", \"time_zone\": \"Etc/GMT-3\",
    \"email\": \"duty@network.example\", \"phone\": \"+447700900123\", \"channels\": [\"sms\", \"email\"],
    \"quiet_hours\": null, \"urgent_overrides_quiet_hours\": true}]

Example:
  tocsin staff import staff.json")]
    Import(Import),
}

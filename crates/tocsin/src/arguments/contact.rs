//! `tocsin contact`: trying whether a contact can be reached, and giving it new keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `tocsin contact`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Contact {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ContactCommand,
}

/// What is done with contacts.
#[derive(Debug, Subcommand)]
pub(crate) enum ContactCommand {
    /// Send a test to a contact, now, and show what came back.
    #[command(after_help = "A webhook that was switched off by the answer 410 and takes the test is used again.

Example:
  tocsin contact test org-014-c1")]
    Test(Test),
    /// Make new keys for a contact's webhook. Those before sign too for some hours.
    #[command(after_help = "Example:\n  tocsin contact rotate org-014-c1 --save handover.txt")]
    Rotate(Rotate),
}

/// `tocsin contact test`
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The contact's id.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// The channel to try.
    #[arg(long, value_name = "CHANNEL", default_value = "webhook")]
    pub(crate) channel: String,
}

/// `tocsin contact rotate`
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The contact's id.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// Write the keys to this new file, which only you may read, instead of showing them.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
}

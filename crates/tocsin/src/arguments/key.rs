//! `tocsin key`: keys of people and programs.

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::{Args, Subcommand};

use super::parse;

/// `tocsin key`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Key {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

/// What is done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Issue a key. Its secret is told once and kept nowhere.
    #[command(after_help = "Examples:
  tocsin key issue --actor ana --name 'Ana, coordinator' --role coordinator \\
      --expires-in 90d
  tocsin key issue --actor desk-310 --name 'Partner desk' --role partner_desk \\
      --organisation org-310 --save desk.key")]
    Issue(Issue),
    /// Revoke a key: it stops working everywhere within seconds.
    #[command(after_help = "Example:\n  tocsin key revoke 019812ab-...")]
    Revoke(Revoke),
    /// List keys, without their secrets.
    #[command(after_help = "Example:\n  tocsin key list")]
    List,
}

/// `tocsin key issue`
#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// Who holds it: an id of lower-case letters, digits and hyphens. All keys of one person carry the same.
    #[arg(long, value_name = "ID")]
    pub(crate) actor: String,
    /// A name for people, shown where this actor has done something.
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: String,
    /// `duty_officer`, verifier, coordinator, approver, `language_reviewer`, `signatory_delegate`, `partner_desk`, operator,
    /// auditor, `identity_custodian` or administrator; may be given several times.
    #[arg(long = "role", value_name = "ROLE", required = true)]
    pub(crate) roles: Vec<String>,
    /// The organisation of a `signatory_delegate` or `partner_desk`, or of an approver (for conflicts of interest).
    #[arg(long, value_name = "ID")]
    pub(crate) organisation: Option<String>,
    /// The country of the holder, as XA (for conflicts of interest).
    #[arg(long, value_name = "CODE")]
    pub(crate) country: Option<String>,
    /// When it ends by itself, as 90d, 12h or 30m from now.
    #[arg(long, value_name = "SPAN", value_parser = parse::span)]
    pub(crate) expires_in: Option<TimeDelta>,
    /// Write the key to this new file, which only you may read, instead of showing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
}

/// `tocsin key revoke`
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The key's id, as `key list` shows it; not its secret.
    #[arg(value_name = "ID")]
    pub(crate) key_id: String,
}

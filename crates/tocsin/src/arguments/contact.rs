//! `tocsin contact`: who can be reached how, adding one, proving and trying addresses, and new webhook keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::paging::Paging;

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
    /// List contacts, their addresses masked.
    #[command(after_help = "Examples:
  tocsin contact list --organisation org-014
  tocsin contact list --unverified --all")]
    List(List),
    /// Show one contact, its addresses masked.
    #[command(after_help = "Example:\n  tocsin contact show org-014-c1")]
    Show(Show),
    /// Add one contact, by the same checks as an import. One that is known is not changed.
    #[command(
        after_help = "With --organisation the contact is also added to that organisation, whose alerts it then gets; without, it is staff.
The shared word and webhook keys that are made are told once: --secrets keeps them.

Examples:
  tocsin contact add org-014-c3 --organisation org-014 --language es --time-zone America/Bogota \\
    --email alerts@org-014.example --channel email
  tocsin contact add --file contact.json --organisation org-014 --secrets handover.json"
    )]
    Add(Box<Add>),
    /// Prove a contact's address: a code goes there by the channel, and is taken back.
    #[command(
        after_help = "Without --code a code is sent; on a terminal it is then asked for. It is taken back for half an hour, five times.

Examples:
  tocsin contact verify org-014-c1 --channel sms
  tocsin contact verify org-014-c1 --channel sms --code 123456"
    )]
    Verify(Verify),
    /// Send a test to a contact, now, and show what came back.
    #[command(after_help = "A webhook that was switched off by the answer 410 and takes the test is used again.

Examples:
  tocsin contact test org-014-c1
  tocsin contact test org-014-c1 --channel email")]
    Test(Test),
    /// Make new keys for a contact's webhook. Those before sign too for some hours.
    #[command(after_help = "Example:\n  tocsin contact rotate org-014-c1 --save handover.txt")]
    Rotate(Rotate),
}

/// `tocsin contact list`
#[derive(Debug, Default, Args)]
pub(crate) struct List {
    /// An organisation's id.
    #[arg(long, value_name = "ORGANISATION", default_value = "", hide_default_value = true)]
    pub(crate) organisation: String,
    /// Only contacts with a channel in use whose address nobody has proved.
    #[arg(long)]
    pub(crate) unverified: bool,
    /// Addresses in full; only for administrators, and kept with your name.
    #[arg(long)]
    pub(crate) show_addresses: bool,
    /// Which part.
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// `tocsin contact show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The contact's id.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// Addresses in full; only for administrators, and kept with your name.
    #[arg(long)]
    pub(crate) show_addresses: bool,
}

/// `tocsin contact add`
#[derive(Debug, Default, Args)]
pub(crate) struct Add {
    /// The contact's id.
    #[arg(value_name = "CONTACT", required_unless_present = "file", conflicts_with = "file")]
    pub(crate) contact: Option<String>,
    /// One contact as in a network file, instead of the options; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["language", "time_zone", "channels", "email", "phone"])]
    pub(crate) file: Option<PathBuf>,
    /// The organisation it belongs to; none for staff.
    #[arg(long, value_name = "ORGANISATION", default_value = "", hide_default_value = true)]
    pub(crate) organisation: String,
    /// In which language it reads, as es.
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    pub(crate) language: String,
    /// As Europe/Madrid.
    #[arg(long, value_name = "ZONE", default_value = "Etc/UTC")]
    pub(crate) time_zone: String,
    /// email, sms, webhook, signal or matrix; several times, in the order in which they are tried.
    #[arg(long = "channel", value_name = "CHANNEL")]
    pub(crate) channels: Vec<String>,
    /// An e-mail address.
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    pub(crate) email: String,
    /// A number as +447700900123.
    #[arg(long, value_name = "NUMBER", default_value = "", hide_default_value = true)]
    pub(crate) phone: String,
    /// An https address.
    #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
    pub(crate) webhook: String,
    /// How the webhook is signed: v1, v1a or both.
    #[arg(long = "webhook-signature", value_name = "SCHEME")]
    pub(crate) webhook_signatures: Vec<String>,
    /// A number or a user name of Signal, as anna.01.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) signal: String,
    /// The id of a room, as !room:matrix.example.
    #[arg(long, value_name = "ROOM", default_value = "", hide_default_value = true)]
    pub(crate) matrix: String,
    /// A file with an armored OpenPGP public key, to which e-mail is encrypted.
    #[arg(long, value_name = "FILE")]
    pub(crate) openpgp_key: Option<PathBuf>,
    /// As 22:00-07:00.
    #[arg(long, value_name = "HOURS", default_value = "", hide_default_value = true)]
    pub(crate) quiet_hours: String,
    /// P1 and P2 may come in quiet hours.
    #[arg(long)]
    pub(crate) urgent_overrides_quiet_hours: bool,
    /// A short word, as duty.
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    pub(crate) role: String,
    /// Write what was made for the contact to this new file, which only you may read.
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets: Option<PathBuf>,
}

/// `tocsin contact verify`
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The contact's id.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// email, sms, webhook, signal or matrix.
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) channel: String,
    /// The six digits that the contact told you.
    #[arg(long, value_name = "DIGITS")]
    pub(crate) code: Option<String>,
}

/// `tocsin contact test`
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The contact's id.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// The channel to try: email, sms, webhook, signal or matrix.
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

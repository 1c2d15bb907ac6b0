//! `tocsin alert`: for members and partners who receive alerts, and for those who follow how far one got.

use clap::{Args, Subcommand};

use super::case::Release;

/// `tocsin alert`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Alert {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: AlertCommand,
}

/// What people do with an alert.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// Follow the feed of your organisation: what came since the cursor, then what comes.
    #[command(
        after_help = "A connection that breaks is opened again where it ended. With --json each entry is one line.

Examples:
  tocsin alert watch
  tocsin alert watch --cursor CURSOR --follow=false --json
  tocsin alert watch --count 1"
    )]
    Watch(Watch),
    /// List the alerts that you may see, the newest first.
    #[command(after_help = "Example:\n  tocsin alert list")]
    List,
    /// Show an alert.
    #[command(after_help = "Example:\n  tocsin alert show A7F3-K2W")]
    Show(Name),
    /// Acknowledge an alert for your organisation: further notices to it stop.
    #[command(after_help = "Example:\n  tocsin alert ack A7F3-K2W")]
    Ack(Name),
    /// Answer an alert for your organisation.
    #[command(after_help = "Example:\n  tocsin alert respond A7F3-K2W signed")]
    Respond(Respond),
    /// Show who was reached, who answered, and what is still undone.
    #[command(after_help = "Examples:
  tocsin alert coverage A7F3-K2W
  tocsin alert coverage A7F3-K2W --watch
  tocsin alert coverage A7F3-K2W --notices --json")]
    Coverage(Coverage),
    /// The same as `tocsin case release`.
    #[command(after_help = "Example:\n  tocsin alert release XA-2026-0001 --drill")]
    Release(Release),
}

/// Names an alert.
#[derive(Debug, Args)]
pub(crate) struct Name {
    /// An alert id, a short code or a reference.
    #[arg(value_name = "ALERT")]
    pub(crate) alert: String,
}

/// `tocsin alert watch`
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Go on after this entry; without it everything that is kept comes first.
    #[arg(long, value_name = "CURSOR", default_value = "", hide_default_value = true)]
    pub(crate) cursor: String,
    /// Wait for new entries; `--follow=false` ends when nothing more has come for two seconds.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) follow: bool,
    /// End after this many entries.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

/// `tocsin alert respond`
#[derive(Debug, Args)]
pub(crate) struct Respond {
    /// The alert.
    #[command(flatten)]
    pub(crate) name: Name,
    /// acknowledged, signed, declined, `referral_accepted` or `referral_declined`.
    #[arg(value_name = "RESPONSE")]
    pub(crate) response: String,
}

/// `tocsin alert coverage`
#[derive(Debug, Args)]
pub(crate) struct Coverage {
    /// The alert.
    #[command(flatten)]
    pub(crate) name: Name,
    /// Also list every notice.
    #[arg(long)]
    pub(crate) notices: bool,
    /// Show it again every second until no notice is under way.
    #[arg(long)]
    pub(crate) watch: bool,
}

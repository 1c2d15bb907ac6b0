//! `tocsin notice`: where each notice stands, what was tried, sending again and withdrawing by hand.

use chrono::{DateTime, FixedOffset};
use clap::{ArgGroup, Args, Subcommand};

use super::paging::Paging;
use super::parse;

/// `tocsin notice`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Notice {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: NoticeCommand,
}

/// What is done with notices.
#[derive(Debug, Subcommand)]
pub(crate) enum NoticeCommand {
    /// List notices, the newest first.
    #[command(after_help = "Operators see no contact and no organisation, and cannot list by them.

Examples:
  tocsin notice list --alert A7F3-K2C --state failed_temporary
  tocsin notice list --contact org-014-c1 --all --json")]
    List(List),
    /// Show one notice with every attempt at it.
    #[command(after_help = "Example:\n  tocsin notice show 019812ab-...")]
    Show(Show),
    /// How far the notices of an alert have come, by channel and state.
    #[command(after_help = "Example:\n  tocsin notice progress A7F3-K2C")]
    Progress(Progress),
    /// Send again what ended without having reached anybody, while its alert is still news. Needs the role operator.
    #[command(
        after_help = "Everything that is given must hold. Only notices that failed, were refused, came too late or got no receipt are
sent again, and none whose alert has expired or was withdrawn.

Examples:
  tocsin notice redrive 019812ab-... --reason mailbox_mended
  tocsin notice redrive --contact org-014-c1 --reason new_number
  tocsin notice redrive --channel email --since 2026-07-05T12:00:00+00:00 --reason smarthost_mended --yes"
    )]
    Redrive(Redrive),
    /// End what is still queued. Needs a role that may stop a case.
    #[command(after_help = "With --alert alone (or with --organisation) what is requested later for it ends too.

Examples:
  tocsin notice withdraw 019812ab-... --reason wrong_recipient
  tocsin notice withdraw --contact org-014-c1 --reason left_the_organisation")]
    Withdraw(Withdraw),
    /// List what people changed by hand: who, when and why.
    #[command(after_help = "Example:\n  tocsin notice changes --limit 20")]
    Changes(Paging),
}

/// `tocsin notice list`
#[derive(Debug, Default, Args)]
pub(crate) struct List {
    /// An alert's short code or id.
    #[arg(long, value_name = "ALERT", default_value = "", hide_default_value = true)]
    pub(crate) alert: String,
    /// As queued, accepted, delivered or expired.
    #[arg(long, value_name = "STATE", default_value = "", hide_default_value = true)]
    pub(crate) state: String,
    /// A contact's id.
    #[arg(long, value_name = "CONTACT", default_value = "", hide_default_value = true)]
    pub(crate) contact: String,
    /// An organisation's id.
    #[arg(long, value_name = "ORGANISATION", default_value = "", hide_default_value = true)]
    pub(crate) organisation: String,
    /// email, sms, webhook, signal or matrix.
    #[arg(long, value_name = "CHANNEL", default_value = "", hide_default_value = true)]
    pub(crate) channel: String,
    /// urgent, normal or bulk.
    #[arg(long, value_name = "LANE", default_value = "", hide_default_value = true)]
    pub(crate) lane: String,
    /// Which part.
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// `tocsin notice show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The notice's id.
    #[arg(value_name = "NOTICE")]
    pub(crate) notice: String,
}

/// `tocsin notice progress`
#[derive(Debug, Args)]
pub(crate) struct Progress {
    /// The alert's short code or id.
    #[arg(value_name = "ALERT")]
    pub(crate) alert: String,
}

/// `tocsin notice redrive`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true)
    .args(["notices", "alert", "contact", "organisation", "channel", "webhook_host", "since", "until"]))]
pub(crate) struct Redrive {
    /// Ids of notices.
    #[arg(value_name = "NOTICE")]
    pub(crate) notices: Vec<String>,
    /// An alert's short code or id.
    #[arg(long, value_name = "ALERT")]
    pub(crate) alert: Option<String>,
    /// A contact's id.
    #[arg(long, value_name = "CONTACT")]
    pub(crate) contact: Option<String>,
    /// An organisation's id.
    #[arg(long, value_name = "ORGANISATION")]
    pub(crate) organisation: Option<String>,
    /// email, sms, webhook, signal or matrix.
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) channel: Option<String>,
    /// The host of webhooks, as hooks.member.example.
    #[arg(long, value_name = "HOST")]
    pub(crate) webhook_host: Option<String>,
    /// Those that ended at this moment or later.
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    pub(crate) since: Option<DateTime<FixedOffset>>,
    /// Those that ended before this moment.
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    pub(crate) until: Option<DateTime<FixedOffset>>,
    /// Why, and without being asked.
    #[command(flatten)]
    pub(crate) word: Word,
}

/// `tocsin notice withdraw`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true)
    .args(["notices", "alert", "contact", "organisation"]))]
pub(crate) struct Withdraw {
    /// Ids of notices.
    #[arg(value_name = "NOTICE")]
    pub(crate) notices: Vec<String>,
    /// An alert's short code or id.
    #[arg(long, value_name = "ALERT")]
    pub(crate) alert: Option<String>,
    /// A contact's id.
    #[arg(long, value_name = "CONTACT")]
    pub(crate) contact: Option<String>,
    /// An organisation's id.
    #[arg(long, value_name = "ORGANISATION")]
    pub(crate) organisation: Option<String>,
    /// Why, and without being asked.
    #[command(flatten)]
    pub(crate) word: Word,
}

/// What is kept of the person's decision.
#[derive(Debug, Clone, Args)]
pub(crate) struct Word {
    /// Why, in a short word of a to z and underscore; it is kept with your name.
    #[arg(long, value_name = "WORD")]
    pub(crate) reason: String,
    /// Do not ask before more than one notice.
    #[arg(long)]
    pub(crate) yes: bool,
}

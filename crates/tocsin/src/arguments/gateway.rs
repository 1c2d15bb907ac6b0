//! `tocsin gateway` and `tocsin suppression`: what carries notices out, and addresses that are not written to.

use clap::{Args, Subcommand};

use super::paging::Paging;

/// `tocsin gateway`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Gateway {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: GatewayCommand,
}

/// What is done with gateways.
#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    /// List smarthosts, SMS gateways, Signal and Matrix, and how each stands.
    #[command(
        after_help = "What is on its way, and when a gateway last took or failed, is what the asked process has seen since its start.

Example:
  tocsin gateway list"
    )]
    List,
    /// Send a text that says that it is a test through one gateway, now, also while it is paused.
    #[command(after_help = "Examples:
  tocsin gateway test mail.example:587 --to me@org.example
  tocsin gateway test kannel --to +447700900123 --language es")]
    Test(Test),
    /// Send nothing more through a gateway until it is resumed, by any process. Receipts are still taken.
    #[command(after_help = "Example:\n  tocsin gateway pause kannel --reason provider_maintenance")]
    Pause(Named),
    /// Use a paused gateway again; what waited for it leaves at once.
    #[command(after_help = "Example:\n  tocsin gateway resume kannel --reason provider_is_back")]
    Resume(Named),
    /// List destinations that fail, webhook hosts too, those that fail longest first.
    #[command(after_help = "It is what the asked process has seen since its start; another process may see others.
Coordinators and duty officers see whose attempts failed; --json names up to a hundred.

Example:
  tocsin gateway degraded")]
    Degraded(Paging),
}

/// `tocsin gateway test`
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The gateway's name, as `tocsin gateway list` shows it.
    #[arg(value_name = "GATEWAY")]
    pub(crate) gateway: String,
    /// A number as +447700900123, an e-mail address, a user name of Signal, or a room of Matrix.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: String,
    /// en, es, fr or ar.
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    pub(crate) language: String,
}

/// `tocsin gateway pause` and `resume`
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The gateway's name, as `tocsin gateway list` shows it.
    #[arg(value_name = "GATEWAY")]
    pub(crate) gateway: String,
    /// Why, in a short word of a to z and underscore; it is kept with your name.
    #[arg(long, value_name = "WORD")]
    pub(crate) reason: String,
}

/// `tocsin suppression`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Suppression {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: SuppressionCommand,
}

/// What is done with suppressions.
#[derive(Debug, Subcommand)]
pub(crate) enum SuppressionCommand {
    /// List contacts whose e-mail is suppressed, and why.
    #[command(after_help = "Example:\n  tocsin suppression list")]
    List(Paging),
    /// Send no e-mail to a contact's present address.
    #[command(after_help = "Example:\n  tocsin suppression add org-014-c1 --reason left_the_organisation")]
    Add(Add),
    /// Send e-mail to a contact again; earlier bounces count no more.
    #[command(after_help = "Example:\n  tocsin suppression remove org-014-c1 --reason mailbox_mended")]
    Remove(Remove),
}

/// `tocsin suppression add`
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The contact's id.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// Why, in a short word of a to z and underscore; it is kept with your name.
    #[arg(long, value_name = "WORD")]
    pub(crate) reason: String,
}

/// `tocsin suppression remove`
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The contact's id.
    #[arg(value_name = "CONTACT")]
    pub(crate) contact: String,
    /// Why, in a short word of a to z and underscore; it is kept with your name.
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
}

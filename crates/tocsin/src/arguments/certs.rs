//! `tocsin certs` and `tocsin secrets`: what an installation of several processes needs before its first start.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `tocsin certs`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Certs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: CertsCommand,
}

/// What is done with certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum CertsCommand {
    /// Make a local authority, and a certificate with its key for each service, NATS, PostgreSQL and clients.
    #[command(
        after_help = "Makes DIR/authority.pem and DIR/authority.key, and NAME.pem and NAME.key for intake, triage, \
dispatch,
notification, nats, postgres and client. Keys are for their owner only. The authority's key is needed to renew,
and by no service: keep it apart. Nothing that exists is written over.

Examples:
  tocsin certs new certs
  tocsin certs new certs --host tocsin.example --host 192.0.2.7 --days 90"
    )]
    New(NewCerts),
    /// Make new certificates under the same authority. Services take them up within seconds, without a restart.
    #[command(
        after_help = "A renewed certificate keeps its names; each --host adds one. Files are swapped whole, with \
their owner and mode.

Examples:
  tocsin certs renew certs
  tocsin certs renew certs intake nats --days 90"
    )]
    Renew(RenewCerts),
    /// List certificates, their names and until when they are good. Exits with 1 if one has expired.
    #[command(after_help = "Example:\n  tocsin certs show certs --json")]
    Show(ShowCerts),
}

/// `tocsin certs new`
#[derive(Debug, Args)]
pub(crate) struct NewCerts {
    /// The folder; it is made if it does not exist.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// What the new certificates say.
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

/// `tocsin certs renew`
#[derive(Debug, Args)]
pub(crate) struct RenewCerts {
    /// A folder that `tocsin certs new` made.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Whose: intake, triage, dispatch, notification, nats, postgres or client; all of them if none is named.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// What the new certificates say.
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

/// What new certificates say.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// A host name or an IP address under which the servers are reached; may be given several times.
    #[arg(long = "host", value_name = "NAME_OR_ADDRESS")]
    pub(crate) hosts: Vec<String>,
    /// For how many days they are good; never longer than their authority.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,
}

/// `tocsin certs show`
#[derive(Debug, Args)]
pub(crate) struct ShowCerts {
    /// A folder that `tocsin certs new` made, or a part of it.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

/// `tocsin secrets`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Secrets {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: SecretsCommand,
}

/// What is done with the secrets of an installation.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Make the key files that all processes of a service share, and key pairs at NATS for each service and an operator.
    #[command(
        after_help = "Makes triage-master.key, dispatch.key, dispatch-token.key and notification-master.key in DIR \
(the setting
`key_folder`), and for each service DIR/nats/SERVICE.nk (its seed, the setting `bus.nkey_seed_file`) and
DIR/nats/SERVICE.pub (its name in the configuration of NATS); the operator of NATS has a pair too. Whoever has
these files can read every case, and without them nobody can: copy them to a safe place. Nothing that exists is
written over.

Example:
  tocsin secrets new secrets"
    )]
    New(NewSecrets),
}

/// `tocsin secrets new`
#[derive(Debug, Args)]
pub(crate) struct NewSecrets {
    /// The folder; it is made if it does not exist.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

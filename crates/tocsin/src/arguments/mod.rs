//! The command line: every command, its options and its help.

pub(crate) mod alert;
pub(crate) mod bus;
pub(crate) mod case;
pub(crate) mod certs;
pub(crate) mod contact;
pub(crate) mod gateway;
mod groups;
pub(crate) mod key;
pub(crate) mod network;
pub(crate) mod notice;
pub(crate) mod paging;
mod parse;
pub(crate) mod report;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use tocsin_proto::catalogue::Service;

pub(crate) use groups::command;

use crate::exit::EXIT_CODES;

/// Tocsin: the alarm bell of a network that protects human rights defenders.
#[derive(Debug, Parser)]
#[command(name = "tocsin", version, after_help = EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, propagate_version = true)]
pub(crate) struct Arguments {
    /// What holds for every command.
    #[command(flatten)]
    pub(crate) common: Common,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Common {
    /// The settings file; `tocsin config default` prints one with every setting explained.
    #[arg(long, global = true, value_name = "FILE", env = "TOCSIN_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document for programs (streams print one a line); failures are JSON on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// A file that holds your key; otherwise the variable `TOCSIN_KEY` is read. A key is never an argument, because
    /// everybody on a machine can see the arguments of a process.
    #[arg(long, global = true, value_name = "FILE", env = "TOCSIN_KEY_FILE", hide_env_values = true)]
    pub(crate) key_file: Option<PathBuf>,
    /// Where intake is, as `https://intake.example:7401`; otherwise as the settings say.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "TOCSIN_INTAKE_URL",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub(crate) intake: Option<String>,
    /// Where triage is.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "TOCSIN_TRIAGE_URL",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub(crate) triage: Option<String>,
    /// Where dispatch is.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "TOCSIN_DISPATCH_URL",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub(crate) dispatch: Option<String>,
    /// Where notification is.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "TOCSIN_NOTIFICATION_URL",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub(crate) notification: Option<String>,
    /// The PEM authority that signed the services' certificates; otherwise the one of the settings.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "TOCSIN_AUTHORITY",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub(crate) authority: Option<PathBuf>,
    /// Your own PEM certificate, where the services ask for one (mutual TLS).
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "TOCSIN_CERTIFICATE",
        hide_env_values = true,
        requires = "certificate_key",
        hide_short_help = true
    )]
    pub(crate) certificate: Option<PathBuf>,
    /// The private key of your certificate.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "TOCSIN_CERTIFICATE_KEY",
        hide_env_values = true,
        requires = "certificate",
        hide_short_help = true
    )]
    pub(crate) certificate_key: Option<PathBuf>,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ring the bell once on this machine and watch it: an invented network, real services, nothing leaves.
    Demo(Demo),
    /// Run all four services in this process.
    Up(Up),
    /// Run one service in this process.
    Serve(Serve),
    /// Ask a service of this machine whether it is ready.
    Health(Health),
    /// Bring databases to the form that this version needs.
    Migrate(Migrate),
    /// Check that everything here can work, and say what to do where it cannot.
    Doctor(Doctor),
    /// Copy an embedded installation while it runs.
    Backup(Backup),
    /// Put a copy back in place of an installation that is not running.
    Restore(Restore),
    /// Certificates of an installation of several processes, under an authority of its own.
    Certs(certs::Certs),
    /// Key files that processes share, made before the first start.
    Secrets(certs::Secrets),
    /// Show settings.
    Config(Config),
    /// Print completions for a shell.
    Completions(Completions),
    /// Submit a report, see what was answered, add to it. Needs no key: the receipt is the key.
    Report(report::Report),
    /// Work on a case, from the first answer to the release.
    Case(case::Case),
    /// Follow alerts, answer them, see whom they reached.
    Alert(alert::Alert),
    /// Organisations and their contacts.
    Org(network::Organisation),
    /// The contacts of the people who do the work: the duty roster.
    Staff(network::Staff),
    /// Contacts one by one: see, add, prove and try their addresses; new webhook keys.
    Contact(contact::Contact),
    /// Notices: where each stands, every attempt; send again or withdraw by hand.
    Notice(notice::Notice),
    /// Smarthosts, SMS gateways, Signal and Matrix: how each stands; test, pause, resume.
    Gateway(gateway::Gateway),
    /// E-mail addresses that are not written to.
    Suppression(gateway::Suppression),
    /// Keys of people and programs.
    Key(key::Key),
    /// The bus between services: what is owed, what could not be taken, and having it run again.
    Bus(bus::Bus),
}

/// `tocsin demo`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tocsin demo
  tocsin demo --exit --summary json
  tocsin demo --scenario fixtures/scenarios/dam-eviction.json")]
pub(crate) struct Demo {
    /// Another scenario than the compiled-in one.
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// Another network than the compiled-in one.
    #[arg(long, value_name = "FILE")]
    pub(crate) network: Option<PathBuf>,
    /// End once the alert has gone out, instead of waiting for Ctrl-C.
    #[arg(long)]
    pub(crate) exit: bool,
    /// Print one JSON object on standard output and nothing else there.
    #[arg(long, value_name = "FORM", value_parser = ["json"])]
    pub(crate) summary: Option<String>,
    /// Keep everything in this folder instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Mark everything as an exercise.
    #[arg(long)]
    pub(crate) drill: bool,
}

/// `tocsin doctor`
#[derive(Debug, Args)]
#[command(after_help = "Looks at the settings, the data folder and its disk, the databases, the bus, the doors, the \
certificates, the gateways,
the DNS records of our e-mail, the templates, the contacts and the clocks. Changes nothing. Exits with 1 if anything cannot work.

Examples:
  tocsin doctor
  tocsin doctor --config /etc/tocsin.toml --json")]
pub(crate) struct Doctor {
    /// Where.
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Where an installation keeps its files.
#[derive(Debug, Default, Args)]
pub(crate) struct Place {
    /// Where databases and keys are kept; otherwise as the settings say.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_folder: Option<PathBuf>,
}

/// `tocsin up`
#[derive(Debug, Args)]
#[command(after_help = "The first start prints one administrator key, once. Ctrl-C or SIGTERM ends it in order.

Examples:
  tocsin up
  tocsin up --data-folder /var/lib/tocsin --config /etc/tocsin.toml")]
pub(crate) struct Up {
    /// Where.
    #[command(flatten)]
    pub(crate) place: Place,
}

/// `tocsin serve`
#[derive(Debug, Args)]
#[command(after_help = "Needs a PostgreSQL database and NATS in the settings, so that the four can be apart.

Example:
  tocsin serve intake --config /etc/tocsin.toml")]
pub(crate) struct Serve {
    /// intake, triage, dispatch or notification.
    #[arg(value_parser = parse::service())]
    pub(crate) service: Service,
    /// Where.
    #[command(flatten)]
    pub(crate) place: Place,
}

/// `tocsin health`
#[derive(Debug, Args)]
#[command(after_help = "Asks /readyz at the HTTP door that the settings name, and ends with 0 if the service is ready.

Example:
  tocsin health intake --config /etc/tocsin.toml")]
pub(crate) struct Health {
    /// intake, triage, dispatch or notification.
    #[arg(value_parser = parse::service())]
    pub(crate) service: Service,
    /// Where.
    #[command(flatten)]
    pub(crate) place: Place,
}

/// `tocsin migrate`
#[derive(Debug, Args)]
#[command(after_help = "Services migrate at their start too; this is for doing it beforehand.

Examples:
  tocsin migrate
  tocsin migrate intake triage --config /etc/tocsin.toml")]
pub(crate) struct Migrate {
    /// Whose databases; all four if none is named.
    #[arg(value_name = "SERVICE", value_parser = parse::service())]
    pub(crate) services: Vec<Service>,
    /// Where.
    #[command(flatten)]
    pub(crate) place: Place,
}

/// `tocsin backup`
#[derive(Debug, Args)]
#[command(after_help = "The copy holds the keys too: whoever has it can read every case. Keep it as you keep those.

Example:
  tocsin backup /backups/tocsin-2026-07-05")]
pub(crate) struct Backup {
    /// A folder that does not exist yet.
    #[arg(value_name = "TARGET")]
    pub(crate) target: PathBuf,
    /// Where.
    #[command(flatten)]
    pub(crate) place: Place,
}

/// `tocsin restore`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tocsin restore /backups/tocsin-2026-07-05 --data-folder /var/lib/tocsin")]
pub(crate) struct Restore {
    /// A folder that `tocsin backup` made.
    #[arg(value_name = "BACKUP")]
    pub(crate) source: PathBuf,
    /// Where it goes: a folder that is empty or does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_folder: PathBuf,
}

/// `tocsin config`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Config {
    /// Which.
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// The settings to show.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// The settings in force, from the defaults, the file and the environment, without secrets.
    #[command(after_help = "Example:\n  tocsin config show --config /etc/tocsin.toml")]
    Show,
    /// The file of defaults, with every setting explained.
    #[command(after_help = "Example:\n  tocsin config default > tocsin.toml")]
    Default,
}

/// `tocsin completions`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tocsin completions bash > ~/.local/share/bash-completion/completions/tocsin")]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}

//! The section `[notification.email]`: smarthosts, our own addresses, DKIM keys, and the door for bounces.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use tocsin_platform::config::{ConfigError, Secret, Settings, secret};

use super::is_loopback_host;

/// The longest local part of the return path: a `+`, a token of 48 characters and the rest fit into 64 characters.
const RETURN_PATH_LOCAL_MAX: usize = 15;
/// The most DKIM signatures on a message.
const DKIM_KEYS_MAX: usize = 4;

/// How the dialogue with a smarthost is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// Plain at first, then upgraded; refused when the server does not offer it.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None at all; only to a loopback address.
    None,
}

/// How our e-mail leaves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The name or address of the first smarthost; empty when `smarthosts` holds them all, or there is none, and e-mail
    /// notices wait.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is encrypted.
    pub tls: MailTls,
    /// The PEM file of its authority, when it is not a public one.
    #[serde(default)]
    pub authority: Option<PathBuf>,
    /// Who logs in; none for no login.
    #[serde(default)]
    pub username: Option<String>,
    /// The password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A file that holds the password; it wins.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Further smarthosts, used in this order when those before them do not answer.
    #[serde(default)]
    pub smarthosts: Vec<SmarthostConfig>,
    /// The sender's address; its domain names our messages.
    pub from: String,
    /// The mailbox to which bounces go, each under a token after a `+`; empty for the sender's own.
    pub return_path: String,
    /// The address of this service's HTTP door as recipients reach it; while it is empty, only a service on loopback gives
    /// its own.
    pub unsubscribe_url: String,
    /// The most sessions with one smarthost at the same time.
    pub connections_max: usize,
    /// How long everything before the message may take together, from connecting to the word that it may come, in seconds.
    pub command_seconds: u32,
    /// How long handing over one message may take, in seconds.
    pub data_seconds: u32,
    /// The keys that sign our messages; each makes a signature.
    #[serde(default)]
    pub dkim: Vec<DkimKeyConfig>,
    /// What becomes of bounces.
    pub bounces: BounceConfig,
}

/// One smarthost.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmarthostConfig {
    /// Its name or address.
    pub host: String,
    /// Its port.
    #[serde(default = "submission")]
    pub port: u16,
    /// How it is encrypted.
    #[serde(default)]
    pub tls: MailTls,
    /// The PEM file of its authority, when it is not a public one.
    #[serde(default)]
    pub authority: Option<PathBuf>,
    /// Who logs in; none for no login.
    #[serde(default)]
    pub username: Option<String>,
    /// The password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A file that holds the password; it wins.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

/// One key that signs our messages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DkimKeyConfig {
    /// Under which name below `_domainkey` its public half stands in the DNS.
    pub selector: String,
    /// The PEM file of its private half: ed25519, or RSA of at least 2048 bits.
    pub key_file: PathBuf,
}

/// What becomes of bounces.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BounceConfig {
    /// Where the LMTP door for bounces listens; empty for none.
    pub listen: String,
    /// How many hard bounces within `window_hours` suppress an address, until a person lifts it.
    pub hard_max: u32,
    /// How many bounces of any kind within `window_hours` let an address rest, for all but urgent notices.
    pub soft_max: u32,
    /// Bounces that are older do not count, in hours.
    pub window_hours: u32,
    /// How long an address rests, in hours.
    pub rest_hours: u32,
}

const fn submission() -> u16 {
    587
}

impl EmailConfig {
    /// Every smarthost in the order in which they are tried: the single one first.
    pub fn all_smarthosts(&self) -> Vec<SmarthostConfig> {
        let single = SmarthostConfig {
            host: self.host.clone(),
            port: self.port,
            tls: self.tls,
            authority: self.authority.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            password_file: None,
        };
        let listed = self.smarthosts.iter().cloned();
        Some(single).filter(|single| !single.host.is_empty()).into_iter().chain(listed).collect()
    }

    /// The longest attempt: with more than one smarthost the first may use up its time before the message, and the next
    /// one still has all of its own.
    pub(super) fn attempt_seconds(&self) -> u32 {
        let asked = if self.all_smarthosts().len() > 1 { 2 } else { 1 };
        self.command_seconds.saturating_mul(asked).saturating_add(self.data_seconds)
    }

    /// The mailbox for bounces: its own, or the sender's.
    pub fn return_path(&self) -> &str {
        if self.return_path.is_empty() { &self.from } else { &self.return_path }
    }

    /// Where the door for bounces listens, if it does.
    pub fn bounce_door(&self) -> Option<SocketAddr> {
        self.bounces.listen.parse().ok()
    }

    /// Reads the passwords' files.
    pub(super) fn read_secrets(&mut self) -> Result<(), ConfigError> {
        let key = "notification.email.password";
        self.password = secret(key, self.password.as_ref(), self.password_file.as_deref())?;
        for smarthost in &mut self.smarthosts {
            let key = "notification.email.smarthosts.password";
            smarthost.password = secret(key, smarthost.password.as_ref(), smarthost.password_file.as_deref())?;
        }
        Ok(())
    }

    /// Refuses what would leak or cannot work.
    pub(super) fn check(&self, settings: &Settings) -> Result<(), ConfigError> {
        if self.from.parse::<lettre::Address>().is_err() {
            return Err(settings.invalid("notification.email.from", "must be an e-mail address"));
        }
        for smarthost in self.all_smarthosts() {
            if smarthost.tls == MailTls::None && !is_loopback_host(&smarthost.host) {
                return Err(settings.invalid(
                    "notification.email.tls",
                    "may be none only to a loopback address: use starttls or implicit",
                ));
            }
        }
        if self.smarthosts.iter().any(|smarthost| smarthost.host.is_empty()) {
            return Err(settings.invalid("notification.email.smarthosts", "each needs a host"));
        }
        let path = self.return_path().parse::<lettre::Address>();
        if !path.is_ok_and(|path| path.user().len() <= RETURN_PATH_LOCAL_MAX && path.to_string().is_ascii()) {
            return Err(settings.invalid(
                "notification.email.return_path",
                "set it to an e-mail address with at most 15 characters before the @ (`+` and a token are added there); \
                 while it is empty, `from` must be such an address",
            ));
        }
        self.check_unsubscribe_url(settings)?;
        self.check_dkim(settings)?;
        self.check_bounces(settings)
    }

    fn check_unsubscribe_url(&self, settings: &Settings) -> Result<(), ConfigError> {
        if self.unsubscribe_url.is_empty() {
            return Ok(());
        }
        let url = url::Url::parse(&self.unsubscribe_url).ok();
        let allowed = url.is_some_and(|url| {
            url.scheme() == "https" || (url.scheme() == "http" && url.host_str().is_some_and(is_loopback_host))
        });
        if allowed {
            return Ok(());
        }
        // RFC 8058 asks for https; loopback is for tests.
        Err(settings.invalid("notification.email.unsubscribe_url", "must be https, or http to a loopback address"))
    }

    fn check_dkim(&self, settings: &Settings) -> Result<(), ConfigError> {
        let selects = |selector: &str| {
            let label = |label: &str| {
                !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            selector.len() <= 63 && selector.split('.').all(label)
        };
        let fits = self.dkim.len() <= DKIM_KEYS_MAX && self.dkim.iter().all(|key| selects(&key.selector));
        if fits {
            return Ok(());
        }
        Err(settings
            .invalid("notification.email.dkim", "at most 4 keys, each with a selector of a to z, 0 to 9, - and ."))
    }

    fn check_bounces(&self, settings: &Settings) -> Result<(), ConfigError> {
        let bounces = &self.bounces;
        let loopback = self.bounce_door().is_some_and(|address| address.ip().is_loopback());
        if !bounces.listen.is_empty() && !loopback {
            // LMTP has neither TLS nor a login here: the mail server that hands bounces in stands on the same machine.
            let problem = "must be a loopback address and port, as 127.0.0.1:2424, or empty";
            return Err(settings.invalid("notification.email.bounces.listen", problem));
        }
        if [bounces.hard_max, bounces.soft_max, bounces.window_hours, bounces.rest_hours].contains(&0) {
            return Err(settings.invalid("notification.email.bounces", "each number must be at least 1"));
        }
        Ok(())
    }
}

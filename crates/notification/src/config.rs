//! The section `[notification]` of the settings, checked at start so that an error names the key.

mod auditor;
mod breaker;
mod email;
mod messenger;
mod sms;
mod webhook;

use serde::Deserialize;
use tocsin_domain::schedule::RetrySchedule;
use tocsin_platform::config::{ConfigError, Settings};

pub use auditor::AuditorConfig;
pub use breaker::BreakerConfig;
pub use email::{BounceConfig, DkimKeyConfig, EmailConfig, MailTls, SmarthostConfig};
pub use messenger::{MatrixConfig, SignalConfig};
pub use sms::{AllowedSource, GatewayConfig, GatewayKind, SmsConfig};
pub use webhook::WebhookConfig;

/// Everything that can be set about notification.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationConfig {
    /// How many sends run at the same time in this process; a quarter is kept for urgent notices.
    pub slots: usize,
    /// How long a claimed notice belongs to the process that claimed it, in seconds.
    pub lease_seconds: u32,
    /// A notice does not start later than this after its alert's deadline.
    pub expire_after_hours: u32,
    /// A P2 notice without acknowledgement starts the contact's next channel after this.
    pub next_channel_seconds: u32,
    /// Telephone numbers must begin with one of these; empty allows every number in E.164 form.
    pub phone_prefixes: Vec<String>,
    /// The delays between attempts.
    #[serde(default)]
    pub retry: RetrySchedule,
    /// When a destination counts as failing.
    pub breaker: BreakerConfig,
    /// The auditor.
    pub auditor: AuditorConfig,
    /// E-mail.
    pub email: EmailConfig,
    /// The SMS gateways.
    pub sms: SmsConfig,
    /// Webhooks.
    pub webhook: WebhookConfig,
    /// Signal.
    pub signal: SignalConfig,
    /// Matrix.
    pub matrix: MatrixConfig,
}

impl NotificationConfig {
    /// Reads and checks the section.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let mut config: Self = settings.section("notification")?;
        config.check(settings)?;
        config.auditor.check(settings)?;
        config.matrix.check(settings)?;
        config.signal.check(settings)?;
        config.email.read_secrets()?;
        config.sms.read_secrets()?;
        Ok(config)
    }

    fn check(&self, settings: &Settings) -> Result<(), ConfigError> {
        let at_least_one = [
            ("notification.slots", self.slots),
            ("notification.lease_seconds", usize::try_from(self.lease_seconds).unwrap_or(0)),
            ("notification.email.connections_max", self.email.connections_max),
            ("notification.email.command_seconds", usize::try_from(self.email.command_seconds).unwrap_or(0)),
            ("notification.email.data_seconds", usize::try_from(self.email.data_seconds).unwrap_or(0)),
            ("notification.sms.in_flight_max", self.sms.in_flight_max),
            ("notification.sms.answer_seconds", usize::try_from(self.sms.answer_seconds).unwrap_or(0)),
        ];
        if let Some((key, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return Err(settings.invalid(key, "must be at least 1"));
        }
        let mail_seconds = self.email.attempt_seconds();
        // A messenger without a gateway takes no time.
        let signal = if self.signal.url.is_empty() { 0 } else { self.signal.answer_seconds };
        let matrix = if self.matrix.url.is_empty() { 0 } else { self.matrix.answer_seconds };
        let longest = mail_seconds.max(self.webhook.total_seconds).max(self.sms.answer_seconds).max(signal).max(matrix);
        if self.lease_seconds <= longest {
            return Err(settings.invalid(
                "notification.lease_seconds",
                "must be longer than webhook.total_seconds, than answer_seconds of sms, signal and matrix, and than \
                 email.command_seconds (twice, with more than one smarthost) and email.data_seconds together, or attempts \
                 would be cut off and made twice, and no second smarthost would be asked",
            ));
        }
        if !self.phone_prefixes.iter().all(|prefix| is_phone_prefix(prefix)) {
            return Err(settings.invalid("notification.phone_prefixes", "write each as + and digits, such as +44"));
        }
        if self.auditor.receipt_hours_max < self.sms.receipt_hours_max {
            let key = "notification.auditor.receipt_hours_max";
            return Err(settings.invalid(key, "must not be less than notification.sms.receipt_hours_max"));
        }
        self.breaker.check(settings)?;
        self.email.check(settings)?;
        self.sms.check(settings)?;
        self.webhook.check(settings)
    }
}

fn is_phone_prefix(prefix: &str) -> bool {
    prefix
        .strip_prefix('+')
        .is_some_and(|digits| (1..=14).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a host is this machine by its very name.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_good() {
        let config = read("").unwrap();
        assert_eq!((config.slots, config.lease_seconds, config.next_channel_seconds), (320, 30, 90));
        assert!(config.sms.gateways.is_empty());
    }

    #[test]
    fn what_would_leak_or_stall_is_refused_by_its_key() {
        check("slots = 0", "notification.slots");
        check("lease_seconds = 19", "notification.lease_seconds");
        assert!(read("lease_seconds = 20").is_ok());
        let two = "[[notification.email.smarthosts]]\nhost = \"a.example\"\n[[notification.email.smarthosts]]\nhost = \"b.example\"\n";
        check(&format!("[notification]\nlease_seconds = 26\n{two}"), "notification.lease_seconds");
        assert!(read(&format!("[notification]\nlease_seconds = 27\n{two}")).is_ok());
        let signal =
            "signal.url = \"http://127.0.0.1:1\"\nsignal.number = \"+447700900000\"\nsignal.answer_seconds = 29\n";
        check(&format!("{signal}lease_seconds = 29"), "notification.lease_seconds");
        check("signal.url = \"http://signal.example\"\nsignal.number = \"+447700900000\"", "notification.signal.url");
        check("signal.url = \"http://127.0.0.1:1\"\nsignal.number = \"07700\"", "notification.signal.number");
        check("matrix.url = \"https://matrix.example\"", "notification.matrix.access_token");
        check("auditor.receipt_hours_max = 0", "notification.auditor.receipt_hours_max");
        check("auditor.ping_url = \"http://ping.example/1\"", "notification.auditor.ping_url");
        assert!(read("auditor.ping_url = \"\"").unwrap().auditor.ping_url.is_none());
        check("auditor.receipt_hours_max = 23", "notification.auditor.receipt_hours_max");
        check("breaker.failures_max = 0", "notification.breaker.failures_max");
        check("breaker.probe_seconds_max = 14", "notification.breaker.probe_seconds_max");
        check("phone_prefixes = [\"44\"]", "notification.phone_prefixes");
        check("[notification.email]\nhost = \"mail.example\"\ntls = \"none\"", "notification.email.tls");
        check("[notification.email]\nfrom = \"nobody\"", "notification.email.from");
        check("[notification.webhook.connect_to]\n\"*\" = \"192.0.2.1:443\"", "notification.webhook.connect_to");
        let kannel = "[[notification.sms.gateways]]\nname = \"k\"\nkind = \"kannel\"\nusername = \"u\"\n";
        check(&format!("{kannel}url = \"http://sms.example/cgi-bin/sendsms\""), "notification.sms.gateways");
        assert!(read(&format!("{kannel}url = \"http://127.0.0.1:13013/cgi-bin/sendsms\"")).is_ok());
        assert!(read("[notification.email]\nhost = \"localhost\"\ntls = \"none\"").is_ok());
        let second = "[[notification.email.smarthosts]]\nhost = \"mail.example\"\n";
        check(&format!("{second}tls = \"none\""), "notification.email.tls");
        check("[[notification.email.smarthosts]]\nhost = \"\"", "notification.email.smarthosts");
        check(
            "[notification.email]\nreturn_path = \"a-very-long-mailbox@m.example\"",
            "notification.email.return_path",
        );
        check("[notification.email]\nunsubscribe_url = \"http://m.example\"", "notification.email.unsubscribe_url");
        check("[[notification.email.dkim]]\nselector = \"a;b\"\nkey_file = \"k\"", "notification.email.dkim");
        check("[notification.email.bounces]\nlisten = \"0.0.0.0:2424\"", "notification.email.bounces.listen");
        check("[notification.email.bounces]\nhard_max = 0", "notification.email.bounces");
        let both = format!("[notification.email]\nhost = \"first.example\"\n{second}");
        let hosts: Vec<_> = read(&both).unwrap().email.all_smarthosts().into_iter().map(|one| one.host).collect();
        assert_eq!(hosts, ["first.example", "mail.example"]);
    }

    fn check(text: &str, key: &str) {
        let message = read(text).unwrap_err().to_string();
        assert!(message.contains(key), "{message}");
    }

    fn read(text: &str) -> Result<NotificationConfig, ConfigError> {
        let text = if text.starts_with('[') { text.to_owned() } else { format!("[notification]\n{text}") };
        NotificationConfig::read(&Settings::from_text(&text).unwrap())
    }
}

//! The section `[notification.sms]`: the gateways, who may call back, and what may be spent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use tocsin_platform::config::{ConfigError, Secret, Settings, secret};

use super::is_loopback_host;

/// The key that errors about a gateway name.
const GATEWAYS: &str = "notification.sms.gateways";
/// The fewest characters of a token in the address of callbacks.
const TOKEN_CHARACTERS_MIN: usize = 16;

/// Which interface an SMS gateway has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayKind {
    /// Kannel's `sendsms`.
    Kannel,
    /// Twilio's Programmable Messaging.
    Twilio,
    /// Vonage's Messages API.
    Vonage,
    /// Africa's Talking.
    AfricasTalking,
    /// An HTTP interface described by the other keys.
    Generic,
}

impl GatewayKind {
    /// The name as it stands in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kannel => "kannel",
            Self::Twilio => "twilio",
            Self::Vonage => "vonage",
            Self::AfricasTalking => "africas_talking",
            Self::Generic => "generic",
        }
    }

    /// Whether it signs what it calls back with.
    const fn signs(self) -> bool {
        matches!(self, Self::Twilio | Self::Vonage)
    }
}

/// The SMS gateways, tried in turn.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsConfig {
    /// The most messages in flight to the gateways at the same time.
    pub in_flight_max: usize,
    /// How long a gateway may take to answer, in seconds.
    pub answer_seconds: u32,
    /// The address of this service's HTTP door as the gateways reach it; empty for the address it listens on.
    pub receipt_url: String,
    /// An urgent message of which no receipt has come after this goes to the next gateway, in seconds.
    pub receipt_seconds: u32,
    /// A message of which no receipt has come after this ends as `unknown_no_receipt`, in hours.
    pub receipt_hours_max: u32,
    /// The most that is spent in one day (UTC), in the unit of the gateways' prices; 0 for no limit.
    pub spend_per_day_max: u64,
    /// The most that is spent in one day on numbers that begin with the same digits; 0 for no limit.
    pub range_per_day_max: u64,
    /// How many digits of a number name its range.
    pub range_digits: usize,
    /// The gateways.
    #[serde(default)]
    pub gateways: Vec<GatewayConfig>,
}

/// One SMS gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// Its name in callbacks' addresses: a to z, 0 to 9 and hyphen.
    pub name: String,
    /// Its interface.
    pub kind: GatewayKind,
    /// The address of its sending door.
    pub url: String,
    /// Kannel: who sends. Twilio: the account's SID. Vonage: the API key. Africa's Talking: the user name.
    #[serde(default)]
    pub username: Option<String>,
    /// Kannel: the password. Twilio: the auth token. Vonage: the API secret. Africa's Talking: the API key.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A file that holds the password; it wins.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The sender's number or name; for Twilio also a messaging service's SID.
    #[serde(default)]
    pub from: Option<String>,
    /// Vonage: the secret with which it signs what it calls back with.
    #[serde(default)]
    pub signature_secret: Option<Secret>,
    /// A file that holds the signature secret; it wins.
    #[serde(default)]
    pub signature_secret_file: Option<PathBuf>,
    /// A token in the address of callbacks that cannot carry anything of ours.
    #[serde(default)]
    pub callback_token: Option<Secret>,
    /// A file that holds the token; it wins.
    #[serde(default)]
    pub callback_token_file: Option<PathBuf>,
    /// The addresses from which a gateway that does not sign may call back, as `192.0.2.7` or `192.0.2.0/24`; the
    /// loopback addresses when its own is one.
    #[serde(default)]
    pub allowed_sources: Vec<AllowedSource>,
    /// What one segment costs, in a unit of your choice; 1 counts segments.
    #[serde(default = "one")]
    pub price: u32,
    /// Generic: the method, POST when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Generic: headers, which may hold a secret.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Generic: the body, in which `{to}`, `{text}`, `{id}` and `{receipt_url}` are replaced by JSON-escaped values.
    #[serde(default)]
    pub body: Option<String>,
    /// Generic: the statuses that mean that the gateway took the message.
    #[serde(default)]
    pub success_status: Vec<u16>,
    /// Generic: where the gateway's id stands in its JSON answer, as `/messages/0/id`; without it nobody knows whether
    /// the message was taken.
    #[serde(default)]
    pub id_pointer: Option<String>,
    /// Generic: where an error's code stands in its JSON answer.
    #[serde(default)]
    pub error_pointer: Option<String>,
    /// Generic: the codes that mean that this number can never be reached.
    #[serde(default)]
    pub number_errors: BTreeSet<String>,
}

const fn one() -> u32 {
    1
}

/// One address, or all that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowedSource {
    address: IpAddr,
    bits: u8,
}

impl AllowedSource {
    /// Whether an address is among them. An IPv4 address in IPv6 form is the IPv4 address.
    pub fn contains(self, source: IpAddr) -> bool {
        match (self.address, source.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(given)) => {
                let shift = 32 - u32::from(self.bits);
                mine.to_bits().checked_shr(shift) == given.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(mine), IpAddr::V6(given)) => {
                let shift = 128 - u32::from(self.bits);
                mine.to_bits().checked_shr(shift) == given.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

/// The text is neither an address nor a block of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a source as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")]
pub struct AllowedSourceError;

impl FromStr for AllowedSource {
    type Err = AllowedSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| AllowedSourceError)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| AllowedSourceError))?;
        if bits > most { Err(AllowedSourceError) } else { Ok(Self { address, bits }) }
    }
}

impl<'de> Deserialize<'de> for AllowedSource {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl GatewayConfig {
    /// Whether a call from this address may come from the gateway.
    pub(crate) fn may_call_from(&self, source: IpAddr) -> bool {
        if self.allowed_sources.is_empty() {
            return self.is_on_loopback() && source.to_canonical().is_loopback();
        }
        self.allowed_sources.iter().any(|allowed| allowed.contains(source))
    }

    fn is_on_loopback(&self) -> bool {
        let url = url::Url::parse(&self.url).ok();
        url.as_ref().and_then(url::Url::host_str).is_some_and(is_loopback_host)
    }

    /// What is wrong with it, in words.
    fn fault(&self) -> Option<&'static str> {
        let name_fits = !self.name.is_empty()
            && self.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !name_fits {
            return Some("each needs a name of a to z, 0 to 9 and hyphen");
        }
        if matches!(self.name.as_str(), "signal" | "matrix") {
            return Some("the names signal and matrix are taken: a pause by name could not tell them apart");
        }
        let Ok(url) = url::Url::parse(&self.url) else { return Some("each needs a url") };
        if url.scheme() != "https" && !(url.scheme() == "http" && self.is_on_loopback()) {
            return Some("the url must be https, or http to a loopback address");
        }
        if !self.kind.signs() && self.allowed_sources.is_empty() && !self.is_on_loopback() {
            return Some(
                "a gateway that does not sign its callbacks needs allowed_sources: the addresses it calls from",
            );
        }
        let short = |token: &Secret| token.expose().len() < TOKEN_CHARACTERS_MIN;
        if self.callback_token.as_ref().is_some_and(short) {
            return Some("callback_token needs at least 16 characters");
        }
        let credentials = self.username.is_some() && self.password.is_some();
        match self.kind {
            GatewayKind::Kannel if self.username.is_none() => Some("a kannel gateway needs a username and a password"),
            GatewayKind::Twilio if !credentials || self.from.is_none() => {
                Some("a twilio gateway needs username (the account's SID), password (the auth token) and from")
            }
            GatewayKind::Vonage if !credentials || self.from.is_none() || self.signature_secret.is_none() => Some(
                "a vonage gateway needs username (the API key), password (the API secret), from and signature_secret",
            ),
            GatewayKind::AfricasTalking if !credentials || self.callback_token.is_none() => {
                Some("an africas_talking gateway needs username, password (the API key) and callback_token")
            }
            GatewayKind::Generic if self.body.is_none() || self.success_status.is_empty() => {
                Some("a generic gateway needs a body and success_status")
            }
            _ => None,
        }
    }
}

impl SmsConfig {
    /// Reads the secrets that stand in files.
    pub(super) fn read_secrets(&mut self) -> Result<(), ConfigError> {
        for gateway in &mut self.gateways {
            let key = |name: &str| format!("{GATEWAYS}.{name}");
            gateway.password = secret(&key("password"), gateway.password.as_ref(), gateway.password_file.as_deref())?;
            gateway.signature_secret = secret(
                &key("signature_secret"),
                gateway.signature_secret.as_ref(),
                gateway.signature_secret_file.as_deref(),
            )?;
            gateway.callback_token = secret(
                &key("callback_token"),
                gateway.callback_token.as_ref(),
                gateway.callback_token_file.as_deref(),
            )?;
        }
        Ok(())
    }

    /// Checks what can be checked without the network.
    pub(super) fn check(&self, settings: &Settings) -> Result<(), ConfigError> {
        let at_least_one = [
            ("notification.sms.receipt_seconds", self.receipt_seconds),
            ("notification.sms.receipt_hours_max", self.receipt_hours_max),
        ];
        if let Some((key, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return Err(settings.invalid(key, "must be at least 1"));
        }
        if !(1..=14).contains(&self.range_digits) {
            return Err(settings.invalid("notification.sms.range_digits", "must be from 1 to 14"));
        }
        let mut names = BTreeSet::new();
        for gateway in &self.gateways {
            if let Some(fault) = gateway.fault() {
                return Err(settings.invalid(GATEWAYS, fault));
            }
            if !names.insert(gateway.name.as_str()) {
                return Err(settings.invalid(GATEWAYS, "two gateways have the same name"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_addresses_or_blocks() {
        let contains = |text: &str, source: &str| {
            text.parse::<AllowedSource>().unwrap().contains(source.parse::<IpAddr>().unwrap())
        };
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("192.0.2.0/24", "192.0.2.255") && !contains("192.0.2.0/24", "192.0.3.0"));
        assert!(contains("192.0.2.0/24", "::ffff:192.0.2.1"));
        assert!(contains("0.0.0.0/0", "198.51.100.1") && !contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1") && !contains("2001:db8::/32", "2001:db9::1"));
        for wrong in ["", "192.0.2", "192.0.2.0/33", "192.0.2.0/-1", "2001:db8::/129", "host.example"] {
            assert_eq!(wrong.parse::<AllowedSource>(), Err(AllowedSourceError), "{wrong}");
        }
    }

    #[test]
    fn a_gateway_that_could_be_impersonated_is_refused() {
        let check = |text: &str, word: &str| {
            let text = format!("[[notification.sms.gateways]]\nname = \"g\"\n{text}");
            let settings = Settings::from_text(&text).unwrap();
            let refused = super::super::NotificationConfig::read(&settings).unwrap_err().to_string();
            assert!(refused.contains(word), "{refused}");
        };
        let far = "url = \"https://sms.example/\"\nusername = \"u\"\npassword = \"p\"\n";
        check(&format!("kind = \"kannel\"\n{far}"), "allowed_sources");
        check(&format!("kind = \"generic\"\nbody = \"\"\nsuccess_status = [200]\n{far}"), "allowed_sources");
        let listed = format!("{far}allowed_sources = [\"192.0.2.0/24\"]\n");
        check(&format!("kind = \"africas_talking\"\n{listed}"), "callback_token");
        check(&format!("kind = \"africas_talking\"\ncallback_token = \"short\"\n{listed}"), "16 characters");
        check(&format!("kind = \"vonage\"\nfrom = \"Tocsin\"\n{far}"), "signature_secret");
        check(&format!("kind = \"twilio\"\n{far}"), "from");
        check("kind = \"twilio\"\nurl = \"http://sms.example/\"\n", "https");
        check("kind = \"kannel\"\nurl = \"http://127.0.0.1:1/\"\nallowed_sources = [\"nobody\"]\n", "source");
    }
}

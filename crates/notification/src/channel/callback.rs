//! What gateways call back with, and how we know that it was they.
//!
//! Twilio and Vonage sign. The others show a token, or the address that we gave them for one message with a MAC in it;
//! because both can be seen on the way, they must also call from an address that is listed.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tocsin_domain::notice::NoticeState;
use url::Url;

use super::{africas_talking, generic, kannel, twilio, vonage};
use crate::config::{GatewayConfig, GatewayKind};
use crate::sms::MessageId;

/// How old a signature may be, in seconds: gateways try again for a day.
const SIGNATURE_AGE_MAX: i64 = 25 * 3600;
/// How far a gateway's clock may be ahead of ours, in seconds.
const CLOCK_AHEAD_MAX: i64 = 300;
/// The most characters of a gateway's id of a message.
const ID_CHARACTERS_MAX: usize = 128;
/// The most characters of an incoming text that are kept: ten segments.
const TEXT_CHARACTERS_MAX: usize = 1_600;

/// One call from outside that says it is a gateway's.
#[derive(Debug)]
pub(crate) struct Callback<'a> {
    pub(crate) gateway: &'a GatewayConfig,
    /// The address that was called, as the gateway knows it.
    pub(crate) url: String,
    pub(crate) source: Option<IpAddr>,
    /// The last part of the path, when there is one.
    pub(crate) token: Option<String>,
    /// Whether it shows the MAC that we gave to this gateway for one message.
    pub(crate) mac_is_ours: bool,
    pub(crate) authorization: Option<String>,
    pub(crate) twilio_signature: Option<String>,
    /// As it was written: not every text in it is UTF-8.
    pub(crate) raw_query: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) form: Vec<(String, String)>,
    pub(crate) json: Option<serde_json::Value>,
    pub(crate) body: &'a [u8],
}

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// The gateway's own id of the message, when it says it.
    pub(crate) message_id: Option<MessageId>,
    pub(crate) state: NoticeState,
}

/// A text message to us. `Debug` shows neither number nor text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) from: String,
    pub(crate) text: String,
    /// Empty when the gateway gives none.
    pub(crate) id: String,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Incoming [redacted]")
    }
}

impl Incoming {
    pub(super) fn new(from: &str, text: &str, id: Option<&str>) -> Self {
        Self {
            from: from.chars().take(ID_CHARACTERS_MAX).collect(),
            text: text.chars().take(TEXT_CHARACTERS_MAX).collect(),
            id: id.unwrap_or_default().chars().take(ID_CHARACTERS_MAX).collect(),
        }
    }
}

impl Callback<'_> {
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        value(&self.query, name)
    }

    pub(super) fn form(&self, name: &str) -> Option<&str> {
        value(&self.form, name)
    }

    /// A text of the JSON body.
    pub(super) fn json(&self, name: &str) -> Option<&str> {
        self.json.as_ref()?.get(name)?.as_str()
    }

    /// Whether the gateway made this call.
    pub(crate) fn is_authentic(&self, now: DateTime<Utc>) -> bool {
        match self.gateway.kind {
            GatewayKind::Twilio => self.has_twilio_signature(),
            GatewayKind::Vonage => self.has_vonage_token(now),
            GatewayKind::Kannel | GatewayKind::AfricasTalking | GatewayKind::Generic => {
                let source_fits = self.source.is_some_and(|source| self.gateway.may_call_from(source));
                source_fits && (self.mac_is_ours || self.has_our_token())
            }
        }
    }

    /// What it says of a message that we sent.
    pub(crate) fn told(&self) -> Option<Told> {
        match self.gateway.kind {
            GatewayKind::Kannel => kannel::told(self),
            GatewayKind::Twilio => twilio::told(self),
            GatewayKind::Vonage => vonage::told(self),
            GatewayKind::AfricasTalking => africas_talking::told(self),
            GatewayKind::Generic => generic::told(self),
        }
    }

    /// The message to us that it brings.
    pub(crate) fn incoming(&self) -> Option<Incoming> {
        match self.gateway.kind {
            GatewayKind::Kannel => kannel::incoming(self),
            GatewayKind::Twilio => twilio::incoming(self),
            GatewayKind::Vonage => vonage::incoming(self),
            GatewayKind::AfricasTalking => africas_talking::incoming(self),
            GatewayKind::Generic => generic::incoming(self),
        }
    }

    fn has_our_token(&self) -> bool {
        let (Some(shown), Some(ours)) = (&self.token, &self.gateway.callback_token) else { return false };
        shown.as_bytes().ct_eq(ours.expose().as_bytes()).into()
    }

    /// `X-Twilio-Signature`: HMAC-SHA1 under the auth token, over the address and every parameter of the form, sorted.
    fn has_twilio_signature(&self) -> bool {
        let (Some(shown), Some(secret)) = (&self.twilio_signature, &self.gateway.password) else { return false };
        let Ok(shown) = STANDARD.decode(shown) else { return false };
        let mut parameters: Vec<_> = self.form.iter().collect();
        parameters.sort();
        parameters.dedup();
        let fits = |url: &str| {
            let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()) else { return false };
            mac.update(url.as_bytes());
            for (name, value) in &parameters {
                mac.update(name.as_bytes());
                mac.update(value.as_bytes());
            }
            mac.verify_slice(&shown).is_ok()
        };
        // It signs the address with or without the port that its scheme implies.
        fits(&self.url) || with_port(&self.url).is_some_and(|url| fits(&url))
    }

    /// A JWT of HS256 in `Authorization`, whose `payload_hash` is the body's and whose `api_key` is ours.
    fn has_vonage_token(&self, now: DateTime<Utc>) -> bool {
        let Some(claims) = self.vonage_claims() else { return false };
        let now = now.timestamp();
        let fresh = claims.iat <= now + CLOCK_AHEAD_MAX && claims.iat >= now - SIGNATURE_AGE_MAX;
        let unexpired = claims.exp.is_none_or(|exp| exp >= now - CLOCK_AHEAD_MAX);
        let hash = hex::encode(Sha256::digest(self.body));
        let whole = hash.as_bytes().ct_eq(claims.payload_hash.to_ascii_lowercase().as_bytes());
        fresh && unexpired && bool::from(whole) && Some(claims.api_key.as_str()) == self.gateway.username.as_deref()
    }

    fn vonage_claims(&self) -> Option<Claims> {
        let secret = self.gateway.signature_secret.as_ref()?;
        let (scheme, token) = self.authorization.as_deref()?.split_once(' ')?;
        let (signed, signature) = token.trim().rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        // Only this algorithm: a token that says `none`, or names a public key, proves nothing.
        if !scheme.eq_ignore_ascii_case("bearer") || header.alg != "HS256" {
            return None;
        }
        let mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
        mac.chain_update(signed.as_bytes()).verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    exp: Option<i64>,
    payload_hash: String,
    api_key: String,
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The address with its scheme's own port written out.
fn with_port(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok()?;
    if parsed.port().is_some() {
        return None;
    }
    let rest = url.strip_prefix(parsed.scheme())?.strip_prefix("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, rest) = rest.split_at_checked(end)?;
    Some(format!("{}://{host}:{}{rest}", parsed.scheme(), parsed.port_or_known_default()?))
}

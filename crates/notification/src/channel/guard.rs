//! Which webhook addresses are let through: a stranger's URL must never make us knock on an inside door.
//!
//! Every special-purpose range of the IANA registries is refused, for IPv4 and IPv6, and also where an IPv4 address
//! hides in an IPv6 one (mapped, compatible, NAT64, 6to4, Teredo).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Why a webhook's URL is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlRefusal {
    /// It does not parse.
    #[error("this is not a URL")]
    NotAUrl,
    /// Only https.
    #[error("a webhook must be https")]
    Scheme,
    /// Only the port of https.
    #[error("a webhook must use port 443")]
    Port,
    /// No user or password inside.
    #[error("a webhook URL must not hold a user or password; the signature proves the sender")]
    Credentials,
    /// Longer than 2,048 characters.
    #[error("a webhook URL has at most 2,048 characters")]
    TooLong,
    /// It names an address or host inside.
    #[error("this host is not on the public internet")]
    Inside,
}

/// The most characters of a webhook's URL.
const URL_CHARS_MAX: usize = 2_048;

/// A webhook's URL that may be called, as far as its text shows. Names are checked again when they are resolved.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct WebhookUrl {
    url: Url,
}

impl std::fmt::Debug for WebhookUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl WebhookUrl {
    /// Parses and checks. `loopback_http` lets `http://` through to loopback addresses on any port.
    pub(crate) fn parse(given: &str, loopback_http: bool) -> Result<Self, UrlRefusal> {
        if given.len() > URL_CHARS_MAX {
            return Err(UrlRefusal::TooLong);
        }
        // The parser drops line breaks and tabs without a word, so they are refused before it.
        let clean = !given.contains(|character: char| character.is_control() || character.is_whitespace());
        let url = Some(given).filter(|_| clean).and_then(|given| Url::parse(given).ok()).ok_or(UrlRefusal::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlRefusal::Credentials);
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(name)) if is_inside_name(name) => return Err(UrlRefusal::Inside),
            Some(Host::Domain(_)) => None,
            None => return Err(UrlRefusal::NotAUrl),
        };
        if loopback_http && url.scheme() == "http" && literal.is_some_and(|address| address.is_loopback()) {
            return Ok(Self { url });
        }
        if url.scheme() != "https" {
            return Err(UrlRefusal::Scheme);
        }
        if literal.is_some_and(is_special_purpose) {
            return Err(UrlRefusal::Inside);
        }
        if url.port_or_known_default() != Some(443) {
            return Err(UrlRefusal::Port);
        }
        Ok(Self { url })
    }

    /// The URL, for the one request.
    pub(crate) fn as_url(&self) -> &Url {
        &self.url
    }

    /// The destination that limits are kept for: host and port.
    pub(crate) fn destination(&self) -> String {
        format!("{}:{}", self.url.host_str().unwrap_or_default(), self.url.port_or_known_default().unwrap_or_default())
    }
}

/// Names that stay inside by their very form: one label, or a suffix that is never public.
fn is_inside_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let inside = ["localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "onion", "arpa"];
    match name.rsplit_once('.') {
        Some((_, last)) => inside.contains(&last),
        None => true,
    }
}

/// Whether an address is in a range that is not the public internet.
pub(crate) fn is_special_purpose(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_special_v4(address),
        IpAddr::V6(address) => is_special_v6(address),
    }
}

/// The ranges of the IPv4 special-purpose registry, multicast and the reserved class E.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Metadata services of clouds that do not stand in the ranges above.
const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200)];

fn is_special_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    let inside = |(network, length): &(Ipv4Addr, u32)| (bits ^ u32::from(*network)) >> (32 - length) == 0;
    SPECIAL_V4.iter().any(inside) || METADATA_V4.contains(&address)
}

/// Only `2000::/3` is given out as public IPv6; within it, these are special.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    // Protocol assignments, Teredo (2001::/32) and ORCHID among them.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // 6to4, which carries an IPv4 address and is retired.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    // AS112.
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
];

fn is_special_v6(address: Ipv6Addr) -> bool {
    let bits = u128::from(address);
    // Everything outside `2000::/3`: unspecified, loopback, mapped, compatible, NAT64, unique local, link and site local,
    // multicast and whatever is still reserved.
    if bits >> 125 != 1 {
        return true;
    }
    SPECIAL_V6.iter().any(|(network, length)| (bits ^ u128::from(*network)) >> (128 - length) == 0)
}

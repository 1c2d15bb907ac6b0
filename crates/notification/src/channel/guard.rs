//! Which webhook addresses are let through: a stranger's URL must never make us knock on an inside door.
//!
//! Every special-purpose range of the IANA registries is refused, for IPv4 and IPv6, and also where an IPv4 address
//! hides in an IPv6 one (mapped, compatible, NAT64, 6to4, Teredo).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::Uri;
use url::{Host, Position, Url};

/// Why a webhook's URL is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlRefusal {
    /// It does not parse.
    #[error("this is not a URL")]
    NotAUrl,
    /// Characters that programs read in different ways.
    #[error(
        "a webhook URL holds ASCII without white space, controls and backslashes; write other names in their xn-- form"
    )]
    Characters,
    /// Only https.
    #[error("a webhook must be https")]
    Scheme,
    /// Only the port of https.
    #[error("a webhook must use port 443")]
    Port,
    /// No user or password inside.
    #[error("a webhook URL must not hold a user or password; the signature proves the sender")]
    Credentials,
    /// No fragment.
    #[error("a webhook URL must not hold a fragment (#)")]
    Fragment,
    /// Longer than 2,048 characters.
    #[error("a webhook URL has at most 2,048 characters")]
    TooLong,
    /// The name of its host cannot stand in a certificate.
    #[error("this is not the full name of a host, as in hooks.example, without a dot at its end")]
    Name,
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
    /// Path and query, as the request line has them.
    target: Uri,
    /// Host and port; limits are kept for it.
    destination: String,
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
        // The parser drops line breaks and tabs, turns backslashes and maps full-width digits without a word. Others
        // do not, so what they would read differently is refused before it.
        if !given.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(UrlRefusal::Characters);
        }
        let url = Url::parse(given).map_err(|_| UrlRefusal::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() || authority_of(given).contains('@') {
            return Err(UrlRefusal::Credentials);
        }
        if url.fragment().is_some() {
            return Err(UrlRefusal::Fragment);
        }
        let literal = literal(&url)?;
        if !(loopback_http && url.scheme() == "http" && literal.is_some_and(|address| address.is_loopback())) {
            if url.scheme() != "https" {
                return Err(UrlRefusal::Scheme);
            }
            if literal.is_some_and(is_special_purpose) {
                return Err(UrlRefusal::Inside);
            }
            if url.port_or_known_default() != Some(443) {
                return Err(UrlRefusal::Port);
            }
        }
        let target =
            Uri::try_from(&url[Position::BeforePath..Position::AfterQuery]).map_err(|_| UrlRefusal::NotAUrl)?;
        let destination =
            format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        Ok(Self { url, target, destination })
    }

    /// The host, a name or an address.
    pub(crate) fn host(&self) -> Option<Host<&str>> {
        self.url.host()
    }

    /// The host as a certificate names it: an IPv6 address without its brackets.
    pub(crate) fn host_text(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }

    /// Whether it is `http://` to a loopback address.
    pub(crate) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// Path and query.
    pub(crate) fn target(&self) -> &Uri {
        &self.target
    }

    /// The value of `Host`.
    pub(crate) fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }

    /// The destination that limits are kept for: host and port.
    pub(crate) fn destination(&self) -> &str {
        &self.destination
    }
}

/// What stands between `//` and the path, as it was given: an empty user does not show in the parsed form.
fn authority_of(given: &str) -> &str {
    let after = given.split_once("//").map_or("", |(_, after)| after);
    after.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The address, if the host is one; the host's name is checked by its form.
fn literal(url: &Url) -> Result<Option<IpAddr>, UrlRefusal> {
    match url.host() {
        Some(Host::Ipv4(address)) => Ok(Some(IpAddr::V4(address))),
        Some(Host::Ipv6(address)) => Ok(Some(IpAddr::V6(address))),
        Some(Host::Domain(name)) if is_inside_name(name) => Err(UrlRefusal::Inside),
        Some(Host::Domain(name)) if !is_host_name(name) => Err(UrlRefusal::Name),
        Some(Host::Domain(_)) => Ok(None),
        None => Err(UrlRefusal::NotAUrl),
    }
}

/// Labels of letters, digits and inner hyphens, 63 characters each, 253 in all (RFC 1123, 2.1).
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Top-level names that are never public: reserved (RFC 2606, 6761, 6762, 7686, 8375, 9476), or in use inside houses and
/// clusters.
const INSIDE_SUFFIXES: [&str; 17] = [
    "alt",
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "mail",
    "onion",
    "private",
    "svc",
    "test",
    "workgroup",
];

/// Names of clouds' metadata services that look public.
const METADATA_NAMES: [&str; 4] =
    ["metadata.goog", "metadata.packet.net", "metadata.platformequinix.com", "metadata.tencentyun.com"];

/// Names that stay inside by their very form: one label, a suffix that is never public, or a metadata service.
fn is_inside_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let below = |inside: &str| name.strip_suffix(inside).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    match name.rsplit_once('.') {
        Some((_, last)) => INSIDE_SUFFIXES.contains(&last) || METADATA_NAMES.into_iter().any(below),
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
    // ISATAP carries an IPv4 address behind this mark in any network.
    let isatap = matches!(address.segments(), [_, _, _, _, 0 | 0x200, 0x5efe, _, _]);
    isatap || SPECIAL_V6.iter().any(|(network, length)| (bits ^ u128::from(*network)) >> (128 - length) == 0)
}

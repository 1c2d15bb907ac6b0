//! The forms of addresses at Signal and Matrix.

use crate::sms::{is_allowed, is_e164};

/// The longest room id (Matrix specification, appendix 4.2).
const ROOM_BYTES_MAX: usize = 255;

/// A user name of Signal: 3 to 32 letters, digits and underscores, not beginning with a digit, then a dot and at least
/// two digits.
pub(super) fn is_signal_name(given: &str) -> bool {
    let Some((nickname, discriminator)) = given.split_once('.') else { return false };
    (3..=32).contains(&nickname.len())
        && nickname.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !nickname.starts_with(|first: char| first.is_ascii_digit())
        && (2..=9).contains(&discriminator.len())
        && discriminator.bytes().all(|byte| byte.is_ascii_digit())
}

/// What Signal can be sent to: a number of an allowed country, or a user name.
pub(crate) fn is_signal_address(given: &str, phone_prefixes: &[String]) -> bool {
    (is_e164(given) && is_allowed(given, phone_prefixes)) || is_signal_name(given)
}

/// The id of a room, with its server or, in newer rooms, without. An alias (`#`) can come to mean another room, and a
/// user (`@`) is none.
pub(crate) fn is_matrix_room(given: &str) -> bool {
    let Some(id) = given.strip_prefix('!') else { return false };
    let (local, server) = id.split_once(':').map_or((id, None), |(local, server)| (local, Some(server)));
    let plain = |text: &str, further: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || further.contains(&byte))
    };
    given.len() <= ROOM_BYTES_MAX && plain(local, b"-._~=+$*") && server.is_none_or(|server| plain(server, b"-.:[]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_and_rooms_pass() {
        for good in ["anna.01", "a_b.999", "Abc123.1234"] {
            assert!(is_signal_name(good), "{good}");
        }
        for bad in
            ["", "anna", "anna.1", "an.01", "1anna.01", "anna.0a", "anna.01\n", "an/na.01", "anna.01.02", "ánna.01"]
        {
            assert!(!is_signal_name(bad), "{bad}");
        }
        for good in
            ["!abcDEF:matrix.example", "!abc:matrix.example:8448", "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"]
        {
            assert!(is_matrix_room(good), "{good}");
        }
        let long = format!("!{}", "a".repeat(255));
        for bad in [
            "",
            "!",
            "#alias:matrix.example",
            "@user:matrix.example",
            "!a b:matrix.example",
            "!a/b:c",
            "!a:",
            "!a:b/c",
            "!a?b",
            "!a\r\n",
            &long,
        ] {
            assert!(!is_matrix_room(bad), "{bad}");
        }
    }
}

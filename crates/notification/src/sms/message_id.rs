//! The id by which a gateway names a message, in one form: carriers write the same number with leading zeros, in hex in
//! the answer and in decimal in the receipt.

use std::fmt;

/// The longest id.
const CHARACTERS_MAX: usize = 128;
/// What gateways write for "no id".
const NONE: [&str; 3] = ["none", "null", "0"];

/// An id, without leading zeros when it is a number; case is kept where letters are more than hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct MessageId(String);

impl MessageId {
    /// Reads one; none when there is none, or it cannot be an id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.len() <= CHARACTERS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits || NONE.contains(&text.to_ascii_lowercase().as_str()) {
            return None;
        }
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(Self(text.to_owned()));
        }
        let bare = text.trim_start_matches('0').to_ascii_lowercase();
        (!bare.is_empty()).then_some(Self(bare))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same id as another software may have written it: this one, then its number in hex and from hex.
    pub(crate) fn forms(&self) -> Vec<String> {
        let mut forms = vec![self.0.clone()];
        if let Ok(number) = self.0.parse::<u128>() {
            forms.push(format!("{number:x}"));
        }
        if let Ok(number) = u128::from_str_radix(&self.0, 16) {
            forms.push(number.to_string());
        }
        forms.dedup();
        forms
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_is_one_id() {
        for (text, expected) in [
            ("0000123", "123"),
            (" 123\r\n", "123"),
            ("00AF", "af"),
            ("SM00aB", "SM00aB"),
            ("ATXid_0a", "ATXid_0a"),
            ("0b0e5f00-aaaa-4bbb-8ccc-000000000001", "0b0e5f00-aaaa-4bbb-8ccc-000000000001"),
        ] {
            assert_eq!(MessageId::parse(text).unwrap().as_str(), expected, "{text:?}");
        }
        for none in ["", " ", "0", "0000", "None", "null", "a b", "a\0b", "a\nb", "é", &"1".repeat(129)] {
            assert_eq!(MessageId::parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn hex_and_decimal_meet() {
        let forms = |text: &str| MessageId::parse(text).unwrap().forms();
        assert!(forms("3735928559").contains(&"deadbeef".to_owned()));
        assert!(forms("00DEADBEEF").contains(&"3735928559".to_owned()));
        assert_eq!(forms("SM1"), ["SM1"]);
    }
}

//! Text that strangers give us: no control character in it ever reaches a header, a log line or a terminal.

use std::fmt;
use std::str::FromStr;

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// A control character or line separator stands where none may.
    #[error("the character U+{code_point:04X} at position {position} is not allowed; remove it")]
    Forbidden {
        /// Counted in characters, the first being 1.
        position: usize,
        /// The character's number in Unicode.
        code_point: u32,
    },
    /// A code text is empty, too long or holds another character than a to z and the underscore.
    #[error("write 1 to 40 characters of a to z and underscore")]
    NotCodeText,
}

/// Whether a character is a control character (C0, DEL, C1) or a Unicode line or paragraph separator.
pub(crate) fn is_forbidden(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Returns the text if it is one line without control characters, so that it may reach a header.
pub fn single_line(text: &str) -> Result<&str, TextError> {
    first_forbidden(text, |_| false)
}

/// Returns the text if its only control characters are line feeds and tabs.
pub fn multi_line(text: &str) -> Result<&str, TextError> {
    first_forbidden(text, |character| matches!(character, '\n' | '\t'))
}

fn first_forbidden(text: &str, allowed: impl Fn(char) -> bool) -> Result<&str, TextError> {
    let found = text.chars().zip(1..).find(|(character, _)| is_forbidden(*character) && !allowed(*character));
    match found {
        None => Ok(text),
        Some((character, position)) => Err(TextError::Forbidden { position, code_point: u32::from(character) }),
    }
}

/// A short lower-case word of an open list (`place_type`, who consented): 1 to 40 characters of `a` to `z` and `_`.
///
/// It holds no digits and no capitals on purpose, so that neither a name nor a telephone number fits well into it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeText(String);

impl CodeText {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CodeText {
    type Err = TextError;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let fits =
            (1..=40).contains(&given.len()) && given.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if fits { Ok(Self(given.to_owned())) } else { Err(TextError::NotCodeText) }
    }
}

impl fmt::Display for CodeText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

crate::id::serde_as_text!(CodeText);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_line_has_no_control_character() {
        for (text, position, code_point) in [
            ("a\r\nBcc: x@y.example", 2, 0x0D),
            ("\nx", 1, 0x0A),
            ("é\0", 2, 0x00),
            ("a\tb", 2, 0x09),
            ("a\u{7f}", 2, 0x7F),
            ("a\u{85}", 2, 0x85),
            ("a\u{2028}", 2, 0x2028),
            ("ab\u{2029}", 3, 0x2029),
        ] {
            assert_eq!(single_line(text), Err(TextError::Forbidden { position, code_point }), "{text:?}");
        }
        assert_eq!(single_line("Dix défenseur·es, عشرة"), Ok("Dix défenseur·es, عشرة"));
    }

    #[test]
    fn several_lines_may_have_line_feeds_and_tabs_only() {
        assert!(multi_line("a\n\tb").is_ok());
        let refused = multi_line("a\n\r").unwrap_err();
        assert_eq!(refused.to_string(), "the character U+000D at position 3 is not allowed; remove it");
    }

    #[test]
    fn a_code_text_is_short_and_lower_case() {
        for given in ["", "Hotel", "room 5", "a\n", "café", "x7", &"a".repeat(41)] {
            assert_eq!(given.parse::<CodeText>(), Err(TextError::NotCodeText), "{given:?}");
        }
        assert!("private_home".parse::<CodeText>().is_ok());
    }
}

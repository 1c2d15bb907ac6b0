//! What comes from elsewhere, made harmless for a message: the checks at the doors refuse most of it, and nothing here
//! relies on them.

/// The longest code.
const CODE_CHARACTERS_MAX: usize = 64;

/// Text in paragraphs: every kind of line end is a line feed, and no other control character is left.
pub(super) fn text(given: &str) -> String {
    let given = given.replace("\r\n", "\n");
    given
        .chars()
        .filter_map(|character| match character {
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{b}' | '\u{c}' => Some('\n'),
            '\n' | '\t' => Some(character),
            other if other.is_control() => None,
            other => Some(other),
        })
        .collect()
}

/// A code, a reference or a language: printable ASCII without blanks.
pub(super) fn code(given: &str) -> String {
    given.chars().filter(char::is_ascii_graphic).take(CODE_CHARACTERS_MAX).collect()
}

/// An address of a page: printable ASCII without blanks, as addresses are.
pub(super) fn url(given: &str) -> String {
    given.chars().filter(char::is_ascii_graphic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_line_feeds_and_controls_are_gone() {
        assert_eq!(text("a\r\nb\rc\u{85}d\u{2028}e\0f\u{7f}\tg\u{200f}"), "a\nb\nc\nd\nef\tg\u{200f}");
        assert_eq!(code("A7F3-\r\nK2C\u{202e} x"), "A7F3-K2Cx");
        assert_eq!(code(&"9".repeat(1_000)).len(), 64);
        assert_eq!(url("https://t.example/a\r\nBcc: x"), "https://t.example/aBcc:x");
    }
}

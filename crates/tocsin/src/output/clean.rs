//! Text from elsewhere, made safe for a terminal: a control character in somebody's report must not move the cursor,
//! colour the screen or hide a line of it.

use std::borrow::Cow;

/// The text on one line: control characters, line ends included, and characters that turn the direction of writing
/// are shown as `\u{..}`.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| !is_dangerous(letter))
}

/// The same for text of several lines, which keeps its line feeds and tabs.
pub(crate) fn clean_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| matches!(letter, '\n' | '\t') || !is_dangerous(letter))
}

fn escaped(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&keep) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            letter if keep(letter) => clean.push(letter),
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.push_str("\\t"),
            letter => clean.extend(letter.escape_unicode()),
        }
    }
    Cow::Owned(clean)
}

/// C0 and C1 controls, line and paragraph separators, and the embeddings, overrides and isolates of bidirectional
/// text. The plain marks stay: Arabic text uses them.
fn is_dangerous(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_shown_and_letters_stay() {
        for (given, expected) in [
            ("plain", "plain"),
            ("احتجاز عشرة", "احتجاز عشرة"),
            ("a\u{1b}[31mred", "a\\u{1b}[31mred"),
            ("line\r\nline\tend", "line\\r\\nline\\tend"),
            ("nul\0bell\u{7}", "nul\\u{0}bell\\u{7}"),
            ("c1\u{9b}2J", "c1\\u{9b}2J"),
            ("turn\u{202e}ed", "turn\\u{202e}ed"),
        ] {
            assert_eq!(clean(given), expected);
        }
        assert_eq!(clean_lines("two\nlines\r\u{1b}"), "two\nlines\\r\\u{1b}");
    }
}

//! The answer to a code that no list holds: it names the list, what was given and the nearest known codes.

use std::fmt;

/// How much of an unknown code is repeated in the error, in characters.
const GIVEN_CHARS_MAX: usize = 60;
/// How many known codes the error offers.
const NEAREST_MAX: usize = 3;

/// A code that its list does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCode {
    /// The name of the list, such as `kinds`.
    pub list: &'static str,
    /// What was given, cut to 60 characters, with control characters escaped.
    pub given: String,
    /// Up to three codes of the list that look most like it, the nearest first.
    pub nearest: Vec<&'static str>,
}

impl UnknownCode {
    pub(crate) fn new(list: &'static str, given: &str, known: &[&'static str]) -> Self {
        // Cut first: the comparison below costs the product of the lengths, and the text comes from a stranger.
        let cut: String = given.chars().take(GIVEN_CHARS_MAX).collect();
        let compared = cut.trim().to_lowercase().replace([' ', '-'], "_");
        let mut ranked: Vec<(f64, &'static str)> =
            known.iter().map(|code| (likeness(&compared, code), *code)).collect();
        ranked.sort_by(|left, right| right.0.total_cmp(&left.0));
        let nearest = ranked.into_iter().take(NEAREST_MAX).map(|(_, code)| code).collect();
        Self { list, given: escaped(&cut), nearest }
    }
}

/// Shared letter pairs find a word inside a longer code, and common beginnings find a slip of the finger.
fn likeness(given: &str, code: &str) -> f64 {
    strsim::sorensen_dice(given, code) + strsim::jaro_winkler(given, code)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if crate::text::is_forbidden(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

impl fmt::Display for UnknownCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "\"{}\" is not a code of {}; the nearest known are: {}",
            self.given,
            self.list,
            self.nearest.join(", ")
        )
    }
}

impl std::error::Error for UnknownCode {}

#[cfg(test)]
mod tests {
    use crate::codes::{Claim, Kind};

    #[test]
    fn a_slip_finds_its_code() {
        check("arbitrary_detension", "arbitrary_detention");
        check("killed", "killing");
        check("Death Threat Person", "death_threat_person");
        check("incommunicado", "incommunicado_detention");
    }

    #[test]
    fn what_was_given_is_cut_and_escaped() {
        let given = format!("kill\r\n\0\u{2028}{}", "a".repeat(10_000));
        let error = given.parse::<Kind>().unwrap_err();
        assert!(error.given.starts_with("kill\\r\\n\\u{0}\\u{2028}aaa"), "{}", error.given);
        assert!(error.given.chars().count() < 90);
        assert_eq!(error.nearest.len(), 3);
        assert!(!error.to_string().contains(['\r', '\n', '\0']));
    }

    #[test]
    fn the_message_names_the_list_and_the_known_codes() {
        let error = "sure".parse::<Claim>().unwrap_err().to_string();
        assert!(error.starts_with("\"sure\" is not a code of claims; the nearest known are: "), "{error}");
    }

    fn check(given: &str, expected: &str) {
        let error = given.parse::<Kind>().unwrap_err();
        assert_eq!(error.nearest.first(), Some(&expected), "{error}");
    }
}

//! What a test says, and a code that proves an address: the same on each channel, and nothing of any alert.

use tocsin_domain::language::Language;

use super::email;
use super::words::words;
use crate::channel::Mail;

/// What is said.
#[derive(Clone, Copy)]
pub(crate) enum Probe<'a> {
    /// A test.
    Test,
    /// Six digits, which its reader tells the person who asked for them.
    Code(&'a str),
}

impl Probe<'_> {
    /// One segment; the word, where there is one, proves the sender.
    pub(crate) fn sms(self, interface: Language, word: &str) -> String {
        let words = words(interface);
        let text = match self {
            Self::Test => words.sms_test.to_owned(),
            Self::Code(code) => words.sms_code.replace("{code}", code),
        };
        if word.is_empty() { text } else { format!("{text} {} {word}", words.word) }
    }

    /// By Signal or Matrix.
    pub(crate) fn chat(self, interface: Language) -> String {
        let words = words(interface);
        match self {
            Self::Test => words.test_line.to_owned(),
            Self::Code(code) => words.code_line.replace("{code}", code),
        }
    }

    /// By e-mail; the code does not stand in the subject, which is read over shoulders.
    pub(crate) fn mail(self, interface: Language) -> Mail {
        let words = words(interface);
        let subject = match self {
            Self::Test => words.test_subject,
            Self::Code(_) => words.code_subject,
        };
        let line = match self {
            Self::Test => words.test_line.to_owned(),
            Self::Code(code) => words.code_line.replace("{code}", &email::isolated(interface, code)),
        };
        email::plain_mail(subject, line, interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::segments::segments;

    #[test]
    fn each_text_is_one_segment_with_the_longest_word() {
        for language in Language::ALL.iter().copied() {
            let word = if language == Language::Ar { "مممممممم" } else { "wwwwwwwwww" };
            for probe in [Probe::Test, Probe::Code("123456")] {
                let text = probe.sms(language, word);
                let counted = segments(&text);
                assert_eq!((counted.count, counted.gsm7), (1, language != Language::Ar), "{}: {text}", counted.units);
                assert!(text.ends_with(word) && probe.sms(language, "").len() < text.len());
            }
        }
    }

    #[test]
    fn a_code_stands_in_the_text_and_not_in_the_subject() {
        for language in Language::ALL.iter().copied() {
            let mail = Probe::Code("123456").mail(language);
            assert!(mail.plain.contains("123456") && mail.html.contains("123456") && !mail.subject.contains("123456"));
            assert!(Probe::Code("123456").chat(language).contains("123456"), "{language}");
            assert!(!mail.urgent && !Probe::Test.mail(language).plain.contains("{code}"));
        }
    }
}

//! The e-mail: a neutral subject, and a body with the text at CLEAR and GREEN or a pointer above.

use tocsin_domain::language::Language;
use tocsin_domain::priority::Lane;

use super::words::{Words, of, words};
use super::{BulletinKind, Facts, Links, Reader, Reading, deadline_in};
use crate::channel::Mail;

/// The message for one contact. The text is left out above GREEN, whatever the caller gives.
pub(crate) fn mail(facts: &Facts, reader: Reader, text: Option<Reading<'_>>, links: Links<'_>) -> Mail {
    let text = text.filter(|_| facts.tlp.allows_text() && facts.kind == BulletinKind::Alert);
    let blocks = blocks(facts, reader, text, links);
    Mail {
        subject: subject(facts, reader),
        plain: blocks.iter().map(Block::plain).collect::<Vec<_>>().join("\n\n") + "\n",
        html: html(&blocks, reader.interface),
        urgent: facts.priority.lane() == Lane::Urgent,
    }
}

/// Never a country, a name or a headline: a subject is read over shoulders and kept in logs.
fn subject(facts: &Facts, reader: Reader) -> String {
    let words = words(reader.interface);
    let drill = if facts.drill { format!("{} ", words.exercise) } else { String::new() };
    let priority = facts.priority.as_str().to_ascii_uppercase();
    let code = if facts.short_code.is_empty() { String::new() } else { format!("{} ", facts.short_code) };
    format!("{drill}[Tocsin] {code}{priority}, {} {}", words.answer_by_subject, deadline_in(facts, reader.time_zone))
}

/// A paragraph of the message.
enum Block<'a> {
    Line(String),
    Labelled {
        label: &'static str,
        value: String,
    },
    Link {
        label: &'static str,
        url: &'a str,
    },
    /// Somebody's words in their own language.
    Quoted {
        language: &'a str,
        heading: bool,
        text: &'a str,
    },
}

impl Block<'_> {
    fn plain(&self) -> String {
        match self {
            Self::Line(text) => text.clone(),
            Self::Labelled { label, value } => format!("{label} {value}"),
            Self::Link { label, url } => format!("{label}\n{url}"),
            Self::Quoted { text, .. } => (*text).to_owned(),
        }
    }

    fn html(&self) -> String {
        match self {
            Self::Line(text) => format!("<p>{}</p>", escaped(text)),
            Self::Labelled { label, value } => {
                format!("<p>{} <strong dir=\"ltr\">{}</strong></p>", escaped(label), escaped(value))
            }
            Self::Link { label, url } => {
                format!("<p>{}<br><a href=\"{}\" dir=\"ltr\">{}</a></p>", escaped(label), escaped(url), escaped(url))
            }
            Self::Quoted { language, heading, text } => {
                let tag = if *heading { "h1" } else { "p" };
                let text = escaped(text).replace('\n', "<br>\n");
                format!("<{tag} lang=\"{}\" dir=\"{}\">{text}</{tag}>", escaped(language), direction(language))
            }
        }
    }
}

fn blocks<'a>(facts: &Facts, reader: Reader, text: Option<Reading<'a>>, links: Links<'a>) -> Vec<Block<'a>> {
    let words = words(reader.interface);
    let mut blocks = Vec::new();
    if facts.drill {
        blocks.push(Block::Line(format!("{} {}", words.exercise, words.exercise_line)));
    }
    blocks.push(Block::Line(opening(facts, words, text)));
    if let Some(text) = text {
        if reader.untranslated {
            blocks.push(Block::Line(words.untranslated.to_owned()));
        }
        blocks.push(Block::Quoted { language: text.language, heading: true, text: text.headline });
        blocks.push(Block::Quoted { language: text.language, heading: false, text: text.body });
    }
    blocks.push(Block::Labelled { label: words.urgency_label, value: of(&words.urgency, facts.priority).to_owned() });
    blocks.push(Block::Labelled { label: words.answer_by, value: deadline_in(facts, reader.time_zone) });
    if text.is_none() && facts.kind == BulletinKind::Alert {
        blocks.push(Block::Line(words.not_by_mail.to_owned()));
    }
    blocks.push(Block::Link { label: words.sign_in, url: links.sign_in });
    if let Some(url) = links.acknowledge {
        blocks.push(Block::Link { label: words.acknowledge, url });
    }
    blocks.push(Block::Line(words.automatic.to_owned()));
    blocks
}

fn opening(facts: &Facts, words: &Words, text: Option<Reading<'_>>) -> String {
    match (facts.kind, text) {
        (BulletinKind::Page, _) => words.page.to_owned(),
        (BulletinKind::Handover, _) => format!("{} {}", words.handover, facts.short_code),
        (BulletinKind::Alert, Some(text)) => format!("{} {} ({})", words.alert, text.reference, facts.short_code),
        (BulletinKind::Alert, None) => format!("{} {}", words.alert, facts.short_code),
    }
}

fn html(blocks: &[Block<'_>], interface: Language) -> String {
    let language = interface.as_str();
    let body: Vec<_> = blocks.iter().map(Block::html).collect();
    format!(
        "<!doctype html>\n<html lang=\"{language}\" dir=\"{}\">\n<head><meta charset=\"utf-8\"><title>Tocsin</title></head>\n\
         <body>\n{}\n</body>\n</html>\n",
        direction(language),
        body.join("\n")
    )
}

/// Languages that are written from right to left.
fn direction(language: &str) -> &'static str {
    if matches!(language, "ar" | "fa" | "he" | "ur" | "ps" | "ku" | "sd" | "yi") { "rtl" } else { "ltr" }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use tocsin_domain::priority::Priority;
    use tocsin_domain::tlp::Tlp;

    use super::*;

    const TEXT: Reading<'static> = Reading {
        reference: "XA-2026-0114",
        language: "en",
        headline: "Ten <workers> held",
        body: "First line.\n<script>x</script>",
    };
    const LINKS: Links<'static> =
        Links { sign_in: "https://tocsin.example", acknowledge: Some("https://tocsin.example/acknowledge/t0k") };

    #[test]
    fn above_green_it_is_a_pointer_even_when_a_text_is_given() {
        for tlp in [Tlp::Amber, Tlp::AmberStrict, Tlp::Red] {
            let mail = mail(&facts(tlp, false), reader(Language::En, false), Some(TEXT), LINKS);
            let all = format!("{}{}{}", mail.subject, mail.plain, mail.html);
            assert!(!all.contains("XA-2026") && !all.contains("held") && !all.contains("First line"), "{all}");
            assert!(all.contains("A7F3-K2C") && all.contains("/acknowledge/t0k") && all.contains("critical"));
            assert!(mail.urgent);
        }
    }

    #[test]
    fn at_green_the_body_has_the_text_and_the_subject_stays_neutral() {
        let mail = mail(&facts(Tlp::Green, false), reader(Language::En, true), Some(TEXT), LINKS);
        assert_eq!(mail.subject, "[Tocsin] A7F3-K2C P1, answer by 2026-07-12 08:00 +02:00");
        assert!(mail.plain.contains("XA-2026-0114 (A7F3-K2C)") && mail.plain.contains("no reviewed translation"));
        assert!(mail.html.contains("Ten &lt;workers&gt; held") && !mail.html.contains("<script"));
        for remote in ["src=", "<img", "<link", "@import", "url("] {
            assert!(!mail.html.contains(remote), "{remote}");
        }
    }

    #[test]
    fn drills_are_marked_and_arabic_runs_from_the_right() {
        for (language, mark) in [
            (Language::En, "EXERCISE"),
            (Language::Es, "EJERCICIO"),
            (Language::Fr, "EXERCICE"),
            (Language::Ar, "تمرين"),
        ] {
            let mail = mail(&facts(Tlp::Red, true), reader(language, false), None, LINKS);
            assert!(mail.subject.contains(mark) && mail.plain.contains(mark) && mail.html.contains(mark), "{mark}");
            assert_eq!(mail.html.contains("dir=\"rtl\">\n<head>"), language == Language::Ar);
        }
    }

    fn facts(tlp: Tlp, drill: bool) -> Facts {
        Facts {
            kind: BulletinKind::Alert,
            short_code: "A7F3-K2C".to_owned(),
            priority: Priority::P1,
            tlp,
            deadline: "2026-07-12T06:00:00Z".parse().unwrap(),
            drill,
        }
    }

    fn reader(interface: Language, untranslated: bool) -> Reader {
        Reader { interface, untranslated, time_zone: "Europe/Berlin".parse::<Tz>().unwrap() }
    }
}

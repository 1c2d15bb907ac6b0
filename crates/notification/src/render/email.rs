//! The e-mail: a neutral subject, and a body with the text at CLEAR and GREEN or a pointer above.
//!
//! In Arabic, codes and times stand in isolates (UAX #9), or their parts would change places; in HTML these are elements.
//! What comes from elsewhere is cleaned first, so that nothing in it can end a line, a header or an isolate of ours.

use tocsin_domain::language::Language;
use tocsin_domain::priority::Lane;

use super::clean;
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

/// A message of one paragraph, about no alert.
pub(crate) fn plain_mail(subject: &str, line: String, interface: Language) -> Mail {
    let blocks = [Block::Line(line), Block::Line(words(interface).automatic.to_owned())];
    Mail {
        subject: format!("[Tocsin] {subject}"),
        plain: blocks.iter().map(Block::plain).collect::<Vec<_>>().join("\n\n") + "\n",
        html: html(&blocks, interface),
        urgent: false,
    }
}

/// Never a country, a name or a headline: a subject is read over shoulders and kept in logs.
fn subject(facts: &Facts, reader: Reader) -> String {
    let words = words(reader.interface);
    let drill = if facts.drill { format!("{} ", words.exercise) } else { String::new() };
    let priority = facts.priority.as_str().to_ascii_uppercase();
    let short_code = clean::code(&facts.short_code);
    let code = if short_code.is_empty() { priority } else { format!("{short_code} {priority}") };
    // The code follows our Latin name and keeps its order; the deadline follows Arabic letters, and would not.
    let deadline = isolated_deadline(facts, reader);
    format!("{drill}[Tocsin] {code}, {} {deadline}", words.answer_by_subject)
}

/// Begins a run from left to right that touches nothing around it.
const ISOLATE: char = '\u{2066}';
/// Ends it.
const END: char = '\u{2069}';

/// A code inside our own sentences.
pub(crate) fn isolated(interface: Language, code: &str) -> String {
    if interface == Language::Ar { format!("{ISOLATE}{code}{END}") } else { code.to_owned() }
}

fn isolated_deadline(facts: &Facts, reader: Reader) -> String {
    isolated(reader.interface, &deadline_in(facts, reader.time_zone))
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
        url: String,
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
            Self::Quoted { text, .. } => clean::text(text),
        }
    }

    fn html(&self) -> String {
        match self {
            Self::Line(text) => format!("<p>{}</p>", own(text)),
            Self::Labelled { label, value } => format!("<p>{} <strong>{}</strong></p>", own(label), own(value)),
            Self::Link { label, url } => {
                format!("<p>{}<br><a href=\"{}\" dir=\"ltr\">{}</a></p>", escaped(label), escaped(url), escaped(url))
            }
            Self::Quoted { language, heading, text } => {
                let tag = if *heading { "h1" } else { "p" };
                let text = escaped(&clean::text(text)).replace('\n', "<br>\n");
                let language = clean::code(language);
                format!("<{tag} lang=\"{}\" dir=\"{}\">{text}</{tag}>", escaped(&language), direction(&language))
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
    blocks.push(Block::Line(opening(facts, reader.interface, text)));
    if let Some(text) = text {
        if reader.untranslated {
            blocks.push(Block::Line(words.untranslated.to_owned()));
        }
        blocks.push(Block::Quoted { language: text.language, heading: true, text: text.headline });
        blocks.push(Block::Quoted { language: text.language, heading: false, text: text.body });
    }
    blocks.push(Block::Labelled { label: words.urgency_label, value: of(&words.urgency, facts.priority).to_owned() });
    blocks.push(Block::Labelled { label: words.answer_by, value: isolated_deadline(facts, reader) });
    if text.is_none() && facts.kind == BulletinKind::Alert {
        blocks.push(Block::Line(words.not_by_mail.to_owned()));
    }
    blocks.push(Block::Link { label: words.sign_in, url: clean::url(links.sign_in) });
    if let Some(url) = links.acknowledge {
        blocks.push(Block::Link { label: words.acknowledge, url: clean::url(url) });
    }
    blocks.push(Block::Line(words.automatic.to_owned()));
    blocks
}

fn opening(facts: &Facts, interface: Language, text: Option<Reading<'_>>) -> String {
    let words: &Words = words(interface);
    let code = isolated(interface, &clean::code(&facts.short_code));
    match (facts.kind, text) {
        (BulletinKind::Page, _) => words.page.to_owned(),
        (BulletinKind::WebhookGone, _) => words.webhook_gone.to_owned(),
        (BulletinKind::Handover, _) => format!("{} {code}", words.handover),
        (BulletinKind::Alert, Some(text)) => {
            let reference = isolated(interface, &clean::code(text.reference));
            format!("{} {reference} ({code})", words.alert)
        }
        (BulletinKind::Alert, None) => format!("{} {code}", words.alert),
    }
}

fn html(blocks: &[Block<'_>], interface: Language) -> String {
    let language = interface.as_str();
    let body: Vec<_> = blocks.iter().map(Block::html).collect();
    // An address has no place to break at: without this it makes the page wider than a telephone, and in a page that runs
    // from the right its beginning and the text beside it are out of sight.
    format!(
        "<!doctype html>\n<html lang=\"{language}\" dir=\"{}\">\n<head><meta charset=\"utf-8\"><title>Tocsin</title></head>\n\
         <body style=\"overflow-wrap: anywhere\">\n{}\n</body>\n</html>\n",
        direction(language),
        body.join("\n")
    )
}

/// Languages that are written from right to left.
fn direction(language: &str) -> &'static str {
    if matches!(language, "ar" | "fa" | "he" | "ur" | "ps" | "ku" | "sd" | "yi") { "rtl" } else { "ltr" }
}

/// Our own words as HTML: isolates are elements there.
fn own(text: &str) -> String {
    escaped(text).replace(ISOLATE, "<bdi dir=\"ltr\">").replace(END, "</bdi>")
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

    #[test]
    fn codes_keep_their_order_in_arabic() {
        let mail = mail(&facts(Tlp::Green, false), reader(Language::Ar, false), Some(TEXT), LINKS);
        let deadline = "2026-07-12 08:00 +02:00";
        assert!(mail.subject.starts_with("[Tocsin] A7F3-K2C P1, "), "{}", mail.subject);
        assert!(mail.subject.ends_with(&format!("\u{2066}{deadline}\u{2069}")), "{}", mail.subject);
        for code in ["A7F3-K2C", "XA-2026-0114", deadline] {
            assert!(mail.plain.contains(&format!("\u{2066}{code}\u{2069}")), "{code}: {}", mail.plain);
            assert!(mail.html.contains(&format!("<bdi dir=\"ltr\">{code}</bdi>")), "{code}: {}", mail.html);
        }
        assert_eq!(mail.html.matches("<bdi").count(), mail.html.matches("</bdi>").count());
        assert!(mail.plain.contains("\nhttps://tocsin.example/acknowledge/t0k"), "a link stands alone in its line");
        let english = super::mail(&facts(Tlp::Green, false), reader(Language::En, false), Some(TEXT), LINKS);
        assert!(!english.plain.contains('\u{2066}') && !english.html.contains("<bdi"));
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

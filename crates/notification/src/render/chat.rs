//! The text of a message by Signal or Matrix: a pointer, and the text at CLEAR and GREEN, as plain lines.

use super::words::{of, words};
use super::{BulletinKind, Facts, Links, Reader, Reading, deadline_in};

/// The most characters of a quoted text; messengers cut what is longer without a word.
const TEXT_CHARS_MAX: usize = 1_500;

/// The message for one contact. The text is left out above GREEN, whatever the caller gives.
pub(crate) fn text(facts: &Facts, reader: Reader, text: Option<Reading<'_>>, links: Links<'_>) -> String {
    let text = text.filter(|_| facts.tlp.allows_text() && facts.kind == BulletinKind::Alert);
    let words = words(reader.interface);
    let mut parts = Vec::new();
    if facts.drill {
        parts.push(format!("{} {}", words.exercise, words.exercise_line));
    }
    parts.push(match facts.kind {
        BulletinKind::Alert => format!("{} {}", words.alert, facts.short_code),
        BulletinKind::Page => words.page.to_owned(),
        BulletinKind::Handover => format!("{} {}", words.handover, facts.short_code),
        BulletinKind::WebhookGone => words.webhook_gone.to_owned(),
    });
    parts.push(format!("{} {}", words.urgency_label, of(&words.urgency, facts.priority)));
    parts.push(format!("{} {}", words.answer_by, deadline_in(facts, reader.time_zone)));
    if let Some(text) = text {
        if reader.untranslated {
            parts.push(words.untranslated.to_owned());
        }
        parts.push(text.headline.to_owned());
        parts.push(shortened(text.body));
    }
    parts.push(format!("{} {}", words.sign_in, links.sign_in));
    if let Some(url) = links.acknowledge {
        parts.push(format!("{} {url}", words.acknowledge));
    }
    parts.join("\n")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{} [...]", text.get(..end).unwrap_or_default().trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use tocsin_domain::language::Language;
    use tocsin_domain::priority::Priority;
    use tocsin_domain::tlp::Tlp;

    use super::*;

    #[test]
    fn above_green_it_is_a_pointer() {
        let text = shown(Tlp::Amber, Language::En, "a secret");
        assert_eq!(
            text,
            "Tocsin alert A7F3-K2C\nUrgency: critical (P1)\nPlease answer by: 2026-07-12 06:00 +00:00\n\
             Sign in to read it: https://tocsin.example\nAcknowledge with one press: https://tocsin.example/a"
        );
    }

    #[test]
    fn a_text_travels_at_green_and_is_cut_where_it_is_long() {
        let text = shown(Tlp::Green, Language::Ar, &"نص ".repeat(2_000));
        assert!(text.contains("headline\nنص") && text.contains(" [...]\n") && text.starts_with("إنذار توكسن A7F3-K2C"));
        assert!(text.chars().count() < TEXT_CHARS_MAX + 500);
    }

    fn shown(tlp: Tlp, interface: Language, body: &str) -> String {
        let facts = Facts {
            kind: BulletinKind::Alert,
            short_code: "A7F3-K2C".to_owned(),
            priority: Priority::P1,
            tlp,
            deadline: "2026-07-12T06:00:00Z".parse().unwrap(),
            drill: false,
        };
        let reading = Reading { reference: "XA-2026-0114", language: "ar", headline: "headline", body };
        let links = Links { sign_in: "https://tocsin.example", acknowledge: Some("https://tocsin.example/a") };
        text(&facts, Reader { interface, untranslated: false, time_zone: Tz::UTC }, Some(reading), links)
    }
}

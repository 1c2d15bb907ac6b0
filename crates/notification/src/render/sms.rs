//! The text of an SMS, always one segment: short code, urgency, deadline in digits, and the contact's word.

use super::words::{of, words};
use super::{BulletinKind, Facts};
use tocsin_domain::language::Language;

/// The text for one contact. The word was made at import and proves the sender.
pub(crate) fn text(facts: &Facts, interface: Language, word: &str) -> String {
    let words = words(interface);
    let template = match facts.kind {
        BulletinKind::Alert => words.sms_alert,
        BulletinKind::Page => words.sms_page,
        BulletinKind::Handover => words.sms_handover,
        BulletinKind::WebhookGone => words.sms_webhook_gone,
    };
    let text = template
        .replace("{code}", &facts.short_code)
        .replace("{urgency}", of(&words.urgency_short, facts.priority))
        .replace("{deadline}", &facts.deadline.format("%d/%m %H:%MZ").to_string())
        .replace("{word}", word);
    if facts.drill { format!("{} {text}", words.exercise) } else { text }
}

#[cfg(test)]
mod tests {
    use tocsin_domain::priority::Priority;
    use tocsin_domain::tlp::Tlp;

    use super::*;

    /// The basic set of GSM-7 (3GPP TS 23.038).
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ\
                         ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    /// Its extension table: each costs two.
    const EXTENSION: &str = "^{}\\[~]|€\u{c}";

    /// How many units of how many a text takes, as one segment.
    fn units(text: &str) -> (usize, usize) {
        let septets: Option<usize> = text
            .chars()
            .map(|character| match character {
                _ if BASIC.contains(character) => Some(1),
                _ if EXTENSION.contains(character) => Some(2),
                _ => None,
            })
            .sum();
        septets.map_or((text.encode_utf16().count(), 70), |septets| (septets, 160))
    }

    #[test]
    fn every_text_is_one_segment_and_only_arabic_needs_ucs2() {
        for language in Language::ALL.iter().copied() {
            let word = if language == Language::Ar { "مممممممم" } else { "wwwwwwwwww" };
            for kind in [BulletinKind::Alert, BulletinKind::Page, BulletinKind::Handover, BulletinKind::WebhookGone] {
                for priority in Priority::ALL.iter().copied() {
                    for drill in [false, true] {
                        let text = text(&facts(kind, priority, drill), language, word);
                        let (units, limit) = units(&text);
                        assert!(units <= limit, "{units} of {limit}: {text}");
                        assert_eq!(limit == 70, language == Language::Ar, "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_text_says_code_urgency_deadline_and_word() {
        let shown = |language, drill| text(&facts(BulletinKind::Alert, Priority::P1, drill), language, "maple");
        assert_eq!(shown(Language::En, false), "TOCSIN A7F3-K2C CRITICAL. Answer by 12/07 06:00Z. Word: maple");
        assert_eq!(
            shown(Language::Es, true),
            "[EJERCICIO] TOCSIN A7F3-K2C MUY URGENTE. Responda antes de 12/07 06:00Z. Palabra: maple"
        );
        assert!(shown(Language::Ar, true).starts_with("[تمرين] توكسن A7F3-K2C حرج."));
        assert!(shown(Language::Fr, true).starts_with("[EXERCICE] "));
    }

    fn facts(kind: BulletinKind, priority: Priority, drill: bool) -> Facts {
        Facts {
            kind,
            short_code: "A7F3-K2C".to_owned(),
            priority,
            tlp: Tlp::Red,
            deadline: "2026-07-12T06:00:00Z".parse().unwrap(),
            drill,
        }
    }
}

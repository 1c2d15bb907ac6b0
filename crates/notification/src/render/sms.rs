//! The text of an SMS, always one segment: short code, urgency, deadline in digits, and the contact's word.

use super::words::{of, words};
use super::{BulletinKind, Facts};
use crate::sms::Answered;
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

/// What somebody is answered who wrote STOP, START or HELP.
pub(crate) const fn answer(kind: Answered, interface: Language) -> &'static str {
    let [stopped, started, help] = match interface {
        Language::En => [
            "TOCSIN: you will get no more text messages. Write START to get them again.",
            "TOCSIN: you will get text messages again. Write STOP to end them.",
            "TOCSIN sends alerts of your network. Write ACK and the code to confirm one, STOP to end messages.",
        ],
        Language::Es => [
            "TOCSIN: fin de los mensajes de texto. Escriba START para recibirlos de nuevo.",
            "TOCSIN: le enviaremos mensajes de texto de nuevo. Escriba STOP para terminar.",
            "TOCSIN manda alertas de su red. Escriba ACK y la clave para confirmar una, STOP para terminar.",
        ],
        Language::Fr => [
            "TOCSIN : vous ne recevrez plus de SMS. Envoyez START pour en recevoir de nouveau.",
            "TOCSIN : vous recevrez de nouveau des SMS. Envoyez STOP pour y mettre fin.",
            "TOCSIN envoie les alertes de votre groupe. Envoyez ACK et le code pour confirmer, STOP pour finir.",
        ],
        Language::Ar => [
            "توكسن: لن تصلكم رسائل بعد الآن. للعودة أرسلوا START",
            "توكسن: ستصلكم الرسائل من جديد. للتوقف أرسلوا STOP",
            "توكسن: إنذارات شبكتكم. للتأكيد ACK ثم الرمز، وللتوقف STOP",
        ],
    };
    match kind {
        Answered::Stopped => stopped,
        Answered::Started => started,
        Answered::Help => help,
    }
}

#[cfg(test)]
mod tests {
    use tocsin_domain::priority::Priority;
    use tocsin_domain::tlp::Tlp;

    use super::*;
    use crate::render::segments::segments;

    /// Every kind of text to every reader, with the longest word that may be made.
    fn every_text(mut check: impl FnMut(Language, bool, &str)) {
        for language in Language::ALL.iter().copied() {
            let word = if language == Language::Ar { "مممممممم" } else { "wwwwwwwwww" };
            for kind in [BulletinKind::Alert, BulletinKind::Page, BulletinKind::Handover, BulletinKind::WebhookGone] {
                for priority in Priority::ALL.iter().copied() {
                    for drill in [false, true] {
                        check(
                            language,
                            kind == BulletinKind::Alert && !drill,
                            &text(&facts(kind, priority, drill), language, word),
                        );
                    }
                }
            }
            for kind in [Answered::Stopped, Answered::Started, Answered::Help] {
                check(language, false, answer(kind, language));
            }
        }
    }

    #[test]
    fn every_text_is_one_segment_and_only_arabic_needs_ucs2() {
        every_text(|language, _, text| {
            let counted = segments(text);
            assert_eq!(counted.count, 1, "{} units: {text}", counted.units);
            assert_eq!(counted.gsm7, language != Language::Ar, "{text}");
        });
    }

    #[test]
    fn alerts_leave_room_for_what_a_carrier_adds() {
        let mut longest = std::collections::BTreeMap::new();
        every_text(|language, is_alert, text| {
            if is_alert {
                let known: &mut usize = longest.entry(language.as_str()).or_default();
                *known = segments(text).units.max(*known);
            }
        });
        assert_eq!(longest, std::collections::BTreeMap::from([("ar", 61), ("en", 68), ("es", 80), ("fr", 71)]));
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

//! The page that acknowledges, in four languages: short code, urgency, deadline and one button. No script, nothing from
//! elsewhere, nothing about the case.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use tocsin_domain::codes::label;
use tocsin_domain::language::Language;
use tocsin_platform::clock::from_ms;

use crate::entity::alert;

/// What the page says.
pub(super) enum Page<'a> {
    /// The button.
    Press { alert: &'a alert::Model },
    /// It is recorded.
    Done { short_code: &'a str },
    /// There is nothing left to acknowledge.
    Withdrawn,
    /// The link is wrong.
    Unknown,
    /// We failed; the press may be repeated.
    Away,
}

/// The sentences of one language.
struct Words {
    title: &'static str,
    exercise: &'static str,
    urgency: &'static str,
    deadline: &'static str,
    explain: &'static str,
    press: &'static str,
    done: &'static str,
    withdrawn: &'static str,
    unknown: &'static str,
    away: &'static str,
}

const EN: Words = Words {
    title: "Acknowledge the alert",
    exercise: "EXERCISE",
    urgency: "Urgency",
    deadline: "Answer by",
    explain: "Press the button to say that your organisation has received this alert. Sign in to read it.",
    press: "We have received it",
    done: "Thank you. Your acknowledgement is recorded; nothing more is sent for this alert.",
    withdrawn: "This alert has been withdrawn. There is nothing to do.",
    unknown: "This link is not valid. Open it exactly as it stands in the message.",
    away: "This did not work. Please try again in a minute.",
};

const ES: Words = Words {
    title: "Acusar recibo de la alerta",
    exercise: "EJERCICIO",
    urgency: "Urgencia",
    deadline: "Responder antes de",
    explain: "Pulse el botón para decir que su organización ha recibido esta alerta. Inicie sesión para leerla.",
    press: "La hemos recibido",
    done: "Gracias. Su acuse de recibo ha quedado registrado; no se enviará nada más por esta alerta.",
    withdrawn: "Esta alerta ha sido retirada. No hay nada que hacer.",
    unknown: "Este enlace no es válido. Ábralo exactamente como está en el mensaje.",
    away: "No ha funcionado. Inténtelo de nuevo en un minuto.",
};

const FR: Words = Words {
    title: "Accuser réception de l'alerte",
    exercise: "EXERCICE",
    urgency: "Urgence",
    deadline: "Répondre avant le",
    explain: "Appuyez sur le bouton pour dire que votre organisation a reçu cette alerte. Connectez-vous pour la lire.",
    press: "Nous l'avons reçue",
    done: "Merci. Votre accusé de réception est enregistré ; rien d'autre ne sera envoyé pour cette alerte.",
    withdrawn: "Cette alerte a été retirée. Il n'y a rien à faire.",
    unknown: "Ce lien n'est pas valable. Ouvrez-le exactement comme il figure dans le message.",
    away: "Cela n'a pas fonctionné. Réessayez dans une minute.",
};

const AR: Words = Words {
    title: "تأكيد استلام التنبيه",
    exercise: "تمرين",
    urgency: "درجة الإلحاح",
    deadline: "الرد قبل",
    explain: "اضغطوا الزر لتأكيد أن منظمتكم استلمت هذا التنبيه. سجّلوا الدخول لقراءته.",
    press: "لقد استلمناه",
    done: "شكرًا لكم. تم تسجيل التأكيد، ولن يُرسل شيء آخر بشأن هذا التنبيه.",
    withdrawn: "تم سحب هذا التنبيه. لا حاجة إلى أي إجراء.",
    unknown: "هذا الرابط غير صالح. افتحوه تمامًا كما ورد في الرسالة.",
    away: "لم ينجح ذلك. حاولوا مرة أخرى بعد دقيقة.",
};

const STYLE: &str = "body{font:1.1rem/1.5 sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem}\
dt{font-weight:bold}dd{margin:0 0 .7rem}.code{font:bold 1.6rem monospace}\
button{font:inherit;font-weight:bold;padding:.8rem 1.4rem}";

/// Nothing may be loaded or run; the one style is named by its hash, and the form goes back to where it came from.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// The page with the headers that keep it to itself.
pub(super) fn render(language: Language, page: &Page<'_>) -> Response {
    let headers: [(HeaderName, HeaderValue); 6] = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, POLICY.clone()),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ];
    (headers, html(language, page)).into_response()
}

const fn words(language: Language) -> &'static Words {
    match language {
        Language::En => &EN,
        Language::Es => &ES,
        Language::Fr => &FR,
        Language::Ar => &AR,
    }
}

fn html(language: Language, page: &Page<'_>) -> String {
    let words = words(language);
    let direction = if language == Language::Ar { "rtl" } else { "ltr" };
    let body = body(language, words, page);
    format!(
        "<!doctype html><html lang=\"{language}\" dir=\"{direction}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\">\
         <title>{}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>",
        words.title
    )
}

/// Every value in it is a code, a time or a sentence from above, so nothing needs to be escaped.
fn body(language: Language, words: &Words, page: &Page<'_>) -> String {
    match page {
        Page::Press { alert } => {
            let exercise =
                if alert.drill { format!("<p><strong>{}</strong></p>", words.exercise) } else { String::new() };
            format!(
                "{exercise}<h1>{}</h1><p class=\"code\"><bdi>{}</bdi></p><dl><dt>{}</dt><dd>{}</dd><dt>{}</dt>\
                 <dd><bdi>{}</bdi></dd></dl><p>{}</p><form method=\"post\"><button type=\"submit\">{}</button></form>",
                words.title,
                alert.short_code,
                words.urgency,
                label(language, "priorities", &alert.priority),
                words.deadline,
                from_ms(alert.deadline_at_ms).format("%Y-%m-%d %H:%M +00:00"),
                words.explain,
                words.press,
            )
        }
        Page::Done { short_code } => {
            format!("<h1>{}</h1><p class=\"code\"><bdi>{short_code}</bdi></p><p>{}</p>", words.title, words.done)
        }
        Page::Withdrawn => message(words.withdrawn),
        Page::Unknown => message(words.unknown),
        Page::Away => message(words.away),
    }
}

fn message(sentence: &str) -> String {
    format!("<p>{sentence}</p>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(priority: &str, drill: bool) -> alert::Model {
        alert::Model {
            alert_id: uuid::Uuid::nil(),
            revision: 0,
            short_code: "A7F3-K2W".to_owned(),
            reference_mac: None,
            priority: priority.to_owned(),
            tlp: "AMBER".to_owned(),
            released_at_ms: 0,
            deadline_at_ms: 1_783_310_400_000,
            drill,
            consent_expires_at_ms: None,
            state: "released".to_owned(),
            withdrawn_reason: String::new(),
            withdrawn_at_ms: None,
            content: None,
            content_revision: 0,
            feed_position: None,
            feed_change: String::new(),
            feed_at_ms: 0,
        }
    }

    #[test]
    fn each_language_shows_code_urgency_deadline_and_one_button() {
        for language in Language::ALL.iter().copied() {
            let alert = alert("p1", false);
            let page = html(language, &Page::Press { alert: &alert });
            assert_eq!(page.matches("<button").count(), 1, "{language}");
            assert!(page.contains("A7F3-K2W") && page.contains("2026-07-06 04:00 +00:00"), "{language}: {page}");
            let urgency = label(language, "priorities", "p1");
            assert_ne!(urgency, "p1", "{language} has no label for p1");
            assert!(page.contains(urgency), "{language}");
            assert!(!page.contains("<script") && !page.contains("http") && !page.contains(words(language).exercise));
            let rtl = page.contains("dir=\"rtl\"");
            assert_eq!(rtl, language == Language::Ar);
        }
    }

    #[test]
    fn a_drill_says_so() {
        let alert = alert("p2", true);
        assert!(html(Language::Fr, &Page::Press { alert: &alert }).contains("EXERCICE"));
    }
}

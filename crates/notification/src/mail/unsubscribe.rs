//! `/unsubscribe/{token}`: one press ends e-mail to a contact (RFC 8058). Looking at the page never does, because mail
//! filters follow every link.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use tocsin_domain::language::{Language, LanguageTag};

use super::rows::suppression;
use super::suppressions::{Kind, suppress};
use super::tokens::{self, Purpose};
use crate::contact::Details;
use crate::entity::{contact, notice};
use crate::office::Office;

/// The sentences of one language.
struct Words {
    title: &'static str,
    explain: &'static str,
    press: &'static str,
    done: &'static str,
    unknown: &'static str,
    away: &'static str,
}

static ENGLISH: Words = Words {
    title: "No more e-mail from Tocsin",
    explain: "Press the button and this address gets no more alerts by e-mail, urgent ones included. Other channels go on.",
    press: "Send no more e-mail",
    done: "Done. This address gets no more alerts by e-mail. Your network's staff can undo it.",
    unknown: "This link is not valid. Open it exactly as it stands in the message.",
    away: "This did not work. Please try again in a minute.",
};

static SPANISH: Words = Words {
    title: "No recibir más correos de Tocsin",
    explain: "Pulse el botón y esta dirección no recibirá más alertas por correo, tampoco las urgentes. Los demás canales siguen.",
    press: "No enviar más correos",
    done: "Hecho. Esta dirección ya no recibe alertas por correo. El personal de su red puede deshacerlo.",
    unknown: "Este enlace no es válido. Ábralo exactamente como está en el mensaje.",
    away: "No ha funcionado. Inténtelo de nuevo en un minuto.",
};

static FRENCH: Words = Words {
    title: "Ne plus recevoir de courriels de Tocsin",
    explain: "Appuyez sur le bouton : cette adresse ne recevra plus d'alertes par courriel, même urgentes. Les autres canaux continuent.",
    press: "Ne plus envoyer de courriels",
    done: "C'est fait. Cette adresse ne reçoit plus d'alertes par courriel. L'équipe de votre réseau peut l'annuler.",
    unknown: "Ce lien n'est pas valide. Ouvrez-le exactement comme il figure dans le message.",
    away: "Cela n'a pas fonctionné. Réessayez dans une minute.",
};

static ARABIC: Words = Words {
    title: "إيقاف الرسائل الإلكترونية من توكسن",
    explain: "اضغطوا الزر فلا تصل إلى هذا العنوان إنذارات بالبريد الإلكتروني بعد ذلك، ولا العاجلة منها. وتستمر القنوات الأخرى.",
    press: "إيقاف الرسائل",
    done: "تم. لن تصل إلى هذا العنوان إنذارات بالبريد الإلكتروني. ويمكن لفريق شبكتكم التراجع عن ذلك.",
    unknown: "هذا الرابط غير صالح. افتحوه كما هو مكتوب في الرسالة تماما.",
    away: "لم ينجح ذلك. يرجى المحاولة مرة أخرى بعد دقيقة.",
};

/// The routes.
pub(crate) fn router(office: Arc<Office>) -> Router {
    Router::new().route("/unsubscribe/{token}", get(show).post(record)).with_state(office)
}

/// Whom a link speaks of.
struct Named {
    contact: contact::Model,
    email: String,
    /// Its owner gets no more e-mail already.
    done: bool,
}

/// `GET`: shows the page, records nothing.
async fn show(State(office): State<Arc<Office>>, Path(token): Path<String>) -> Response {
    match named(&office, office.database.reader(), &token).await {
        Ok(Some(named)) if named.done => page(StatusCode::OK, language(&named), |words| words.done, false),
        Ok(Some(named)) => page(StatusCode::OK, language(&named), |words| words.explain, true),
        Ok(None) => page(StatusCode::NOT_FOUND, Language::En, |words| words.unknown, false),
        Err(error) => away(&error),
    }
}

/// `POST`: suppresses the address; again is harmless. The mail program's body says `List-Unsubscribe=One-Click`, the
/// page's nothing; the token is what counts.
async fn record(State(office): State<Arc<Office>>, Path(token): Path<String>) -> Response {
    match unsubscribe(&office, &token).await {
        Ok(Some(language)) => page(StatusCode::OK, language, |words| words.done, false),
        Ok(None) => page(StatusCode::NOT_FOUND, Language::En, |words| words.unknown, false),
        Err(error) => away(&error),
    }
}

async fn unsubscribe(office: &Office, token: &str) -> Result<Option<Language>, DbErr> {
    let transaction = office.database.begin().await?;
    let Some(named) = named(office, &transaction, token).await? else { return Ok(None) };
    if !named.done {
        let row = suppression::Model {
            contact_id: named.contact.contact_id.clone(),
            address_mac: office.secrets.address_mac(&named.email),
            kind: Kind::Unsubscribed.as_str().to_owned(),
            detail: String::new(),
            since_ms: office.clock.now_ms(),
            until_ms: None,
        };
        suppress(&transaction, row).await?;
    }
    tocsin_platform::database::commit(transaction, "notification.unsubscribe").await?;
    Ok(Some(language(&named)))
}

async fn named<C: ConnectionTrait>(office: &Office, connection: &C, token: &str) -> Result<Option<Named>, DbErr> {
    let Some(told) = tokens::named(&office.secrets, Purpose::Unsubscribe, token) else { return Ok(None) };
    let Some(notice) = notice::Entity::find_by_id(told.notice_id).one(connection).await? else { return Ok(None) };
    let contact = contact::Entity::find_by_id(notice.contact_id.as_str()).one(connection).await?;
    let Some(contact) = contact else { return Ok(None) };
    let Ok(details) = Details::open(office.secrets.contact_key(), &contact.contact_id, &contact.sealed) else {
        return Ok(None);
    };
    let mac = office.secrets.address_mac(&details.email);
    let known = suppression::Entity::find_by_id(contact.contact_id.as_str()).one(connection).await?;
    let suppressed = known.is_some_and(|known| known.address_mac == mac && known.kind == Kind::Unsubscribed.as_str());
    // An address that the contact has no longer is not written to, and its reader has no say over the present one.
    let done = suppressed || !told.is_of(&office.secrets, &details.email);
    Ok(Some(Named { email: details.email.clone(), contact, done }))
}

fn language(named: &Named) -> Language {
    named.contact.language.parse::<LanguageTag>().ok().and_then(|tag| tag.spoken()).unwrap_or(Language::En)
}

fn away(error: &DbErr) -> Response {
    tracing::warn!(reason = %error, "an address could not be unsubscribed");
    page(StatusCode::SERVICE_UNAVAILABLE, Language::En, |words| words.away, false)
}

fn page(status: StatusCode, language: Language, sentence: fn(&Words) -> &'static str, button: bool) -> Response {
    let headers: [(HeaderName, &str); 4] = [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"),
    ];
    (status, headers, Html(html(language, sentence, button))).into_response()
}

/// Every value in it is a sentence from above, so nothing needs to be escaped.
fn html(language: Language, sentence: fn(&Words) -> &'static str, button: bool) -> String {
    let words = match language {
        Language::En => &ENGLISH,
        Language::Es => &SPANISH,
        Language::Fr => &FRENCH,
        Language::Ar => &ARABIC,
    };
    let direction = if language == Language::Ar { "rtl" } else { "ltr" };
    let form = if button {
        format!("<form method=\"post\"><button type=\"submit\">{}</button></form>", words.press)
    } else {
        String::new()
    };
    format!(
        "<!doctype html><html lang=\"{language}\" dir=\"{direction}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\">\
         <title>{}</title></head><body><main><h1>{}</h1><p>{}</p>{form}</main></body></html>",
        words.title,
        words.title,
        sentence(words)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_one_button_and_nothing_from_elsewhere() {
        for language in Language::ALL.iter().copied() {
            let asks = html(language, |words| words.explain, true);
            assert_eq!(asks.matches("<button").count(), 1, "{language}");
            assert!(!asks.contains("<script") && !asks.contains("http"), "{language}");
            assert_eq!(asks.contains("dir=\"rtl\""), language == Language::Ar);
            assert_eq!(html(language, |words| words.done, false).matches("<button").count(), 0);
        }
    }
}

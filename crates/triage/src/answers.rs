//! What the reporter is told: the state as far as they may know it, and texts that only their receipt opens.

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;
use tocsin_domain::case::CaseState;
use tocsin_domain::language::Language;
use tocsin_domain::priority::Priority;
use tocsin_platform::clock::to_ms;
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::seal::{self, PublicSealingKey};
use tocsin_proto::catalogue::{ANSWER_RECORDED, Lane};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::AnswerRecorded;
use uuid::Uuid;

use crate::error::TriageError;
use crate::store::cases::OpenCase;
use crate::store::messages::{self, Author};

/// The lane in which work of a priority travels.
pub(crate) fn lane_of(priority: Priority) -> Lane {
    match priority.lane() {
        tocsin_domain::priority::Lane::Urgent => Lane::Urgent,
        tocsin_domain::priority::Lane::Normal => Lane::Normal,
        tocsin_domain::priority::Lane::Bulk => Lane::Bulk,
    }
}

/// The state as the reporter reads it: nothing of consent, drafts and releases, which concern others too.
pub(crate) fn state_for_reporter(case: &OpenCase) -> Result<&'static str, TriageError> {
    if case.row.stopped_at_ms.is_some() {
        return Ok("stopped");
    }
    Ok(match case.state()? {
        CaseState::Received => "received",
        CaseState::Acknowledged => "acknowledged",
        CaseState::Verifying => "verifying",
        CaseState::NeedsInfo => "needs_info",
        CaseState::Triaged | CaseState::ConsentPending | CaseState::Monitoring => "in_progress",
        CaseState::ConsentWithdrawn => "consent_withdrawn",
        CaseState::Duplicate => "duplicate",
        CaseState::OutOfMandate => "out_of_mandate",
        CaseState::Closed | CaseState::Retention | CaseState::Purged => "closed",
    })
}

/// Tells the reporter the present state and perhaps a text, which is also kept with the case. The case must be saved
/// afterwards. Returns the answer's id, if there is a text, and the event.
pub(crate) async fn tell(
    transaction: &DatabaseTransaction,
    case: &mut OpenCase,
    text: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(String, OutgoingEvent), TriageError> {
    case.row.answer_version = case.row.answer_version.saturating_add(1);
    let mut answer = AnswerRecorded {
        report_id: case.row.report_id.to_string(),
        version: u64::try_from(case.row.answer_version).unwrap_or(0),
        state: state_for_reporter(case)?.to_owned(),
        at: Some(timestamp(now)),
        ..AnswerRecorded::default()
    };
    if let Some(text) = text {
        let id = Uuid::now_v7();
        let receipt = PublicSealingKey::from_bytes(&case.row.receipt_key)?;
        let sealed = seal::seal(&receipt, &format!("answer:{id}"), text.as_bytes())?;
        answer.answer_id = id.to_string();
        answer.content = Some(sealed.into());
        messages::add(transaction, case, id, Author::Network, text, to_ms(now)).await?;
    }
    let lane = lane_of(case.priority()?);
    let version = case.row.answer_version;
    let event = OutgoingEvent::new(&ANSWER_RECORDED, lane, answer.report_id.clone(), version, &answer, now);
    Ok((answer.answer_id, event))
}

/// The automatic answer: it was received, how to read answers, and when a person writes.
pub(crate) fn received_text(language: Language, answer_minutes: u32) -> String {
    let time = waiting_time(language, answer_minutes);
    match language {
        Language::En => format!(
            "We have received your report. Keep your receipt: only with it can you read our answers. A person will \
             answer within {time}."
        ),
        Language::Es => format!(
            "Hemos recibido su informe. Guarde su recibo: solo con él podrá leer nuestras respuestas. Una persona le \
             responderá en un plazo de {time}."
        ),
        Language::Fr => format!(
            "Nous avons reçu votre signalement. Gardez votre reçu : lui seul permet de lire nos réponses. Une personne \
             vous répondra dans un délai de {time}."
        ),
        Language::Ar => format!(
            "لقد استلمنا بلاغكم. احتفظوا بالإيصال، فبه وحده يمكنكم قراءة ردودنا. سيرد عليكم شخص من فريقنا خلال {time}."
        ),
    }
}

/// Minutes below two hours, else whole hours, rounded up so that nothing is promised too early.
fn waiting_time(language: Language, minutes: u32) -> String {
    let (count, hours) = if minutes < 120 { (minutes, false) } else { (minutes.div_ceil(60), true) };
    match (language, hours) {
        (Language::En | Language::Fr, false) => format!("{count} minutes"),
        (Language::En, true) => format!("{count} hours"),
        (Language::Es, false) => format!("{count} minutos"),
        (Language::Es, true) => format!("{count} horas"),
        (Language::Fr, true) => format!("{count} heures"),
        (Language::Ar, false) => format!("{count} {}", arabic(count, "دقائق", "دقيقة")),
        (Language::Ar, true) if count == 2 => "ساعتين".to_owned(),
        (Language::Ar, true) => format!("{count} {}", arabic(count, "ساعات", "ساعة")),
    }
}

/// Arabic counts three to ten in the plural and more in the singular.
const fn arabic(count: u32, plural: &'static str, singular: &'static str) -> &'static str {
    if count >= 3 && count <= 10 { plural } else { singular }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_says_how_long_it_takes() {
        check(Language::En, 30, "within 30 minutes.");
        check(Language::En, 150, "within 3 hours.");
        check(Language::Es, 120, "plazo de 2 horas.");
        check(Language::Fr, 720, "délai de 12 heures.");
        check(Language::Ar, 30, "30 دقيقة.");
        check(Language::Ar, 120, "ساعتين.");
        check(Language::Ar, 240, "4 ساعات.");
        check(Language::Ar, 1440, "24 ساعة.");
    }

    fn check(language: Language, minutes: u32, expected: &str) {
        let text = received_text(language, minutes);
        assert!(text.ends_with(expected), "{text}");
    }
}

//! What can be looked at before anything runs: the texts of every template, the DKIM records that our keys need, and how
//! many addresses nobody has proved.

use chrono_tz::Tz;
use sea_orm::{DbErr, EntityTrait, QuerySelect};
use tocsin_domain::channel::Channel;
use tocsin_domain::language::Language;
use tocsin_domain::priority::Priority;
use tocsin_domain::tlp::Tlp;
use tocsin_platform::database::Database;

use crate::channel::{DkimSigners, Mail};
use crate::config::EmailConfig;
use crate::entity::contact;
use crate::entity::people::verification;
use crate::render::probe::Probe;
use crate::render::segments::segments;
use crate::render::{BulletinKind, Facts, Links, Reader, Reading, chat, email, sms, webhook};
use crate::sms::Answered;

const KINDS: [BulletinKind; 4] =
    [BulletinKind::Alert, BulletinKind::Page, BulletinKind::Handover, BulletinKind::WebhookGone];

/// A record that must stand in the DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimRecord {
    /// As `one._domainkey.tocsin.example`.
    pub name: String,
    /// As `v=DKIM1; k=ed25519; p=...`.
    pub value: String,
}

/// The records of our keys.
///
/// # Errors
/// The sender is no address, or a key file cannot be used.
pub fn dkim_records(config: &EmailConfig) -> Result<Vec<DkimRecord>, String> {
    let from: lettre::Address =
        config.from.parse().map_err(|_| "notification.email.from must be an e-mail address".to_owned())?;
    let signers = DkimSigners::load(&config.dkim, from.domain()).map_err(|error| error.to_string())?;
    Ok(signers.records().into_iter().map(|(name, value)| DkimRecord { name, value }).collect())
}

/// Contacts and the addresses in use that nobody has proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unverified {
    /// All contacts.
    pub contacts: usize,
    /// Addresses of channels in use.
    pub addresses: usize,
    /// Those among them that nobody has proved.
    pub unverified: usize,
}

/// Counts them; an import forgets what was proved of an address that has changed.
///
/// # Errors
/// The database does not answer, or has not been brought to its present form.
pub async fn unverified(database: &Database) -> Result<Unverified, DbErr> {
    let contacts: Vec<(String, String)> = contact::Entity::find()
        .select_only()
        .columns([contact::Column::ContactId, contact::Column::Channels])
        .into_tuple()
        .all(database.reader())
        .await?;
    let proved: Vec<(String, String, Option<i64>)> = verification::Entity::find()
        .select_only()
        .columns([verification::Column::ContactId, verification::Column::Channel])
        .column(verification::Column::VerifiedAtMs)
        .into_tuple()
        .all(database.reader())
        .await?;
    let proved: std::collections::HashSet<(&str, &str)> = proved
        .iter()
        .filter(|(.., verified)| verified.is_some())
        .map(|(contact, channel, _)| (contact.as_str(), channel.as_str()))
        .collect();
    let used = contacts.iter().flat_map(|(contact, channels)| {
        channels
            .split(' ')
            .filter(|channel| channel.parse::<Channel>().is_ok())
            .map(move |channel| (contact.as_str(), channel))
    });
    let used: Vec<(&str, &str)> = used.collect();
    let unverified = used.iter().filter(|address| !proved.contains(*address)).count();
    Ok(Unverified { contacts: contacts.len(), addresses: used.len(), unverified })
}

/// Renders every template in every language; returns how many texts there are.
///
/// # Errors
/// Each text that cannot be sent, and what is wrong with it.
pub fn check_templates() -> Result<usize, Vec<String>> {
    let mut checked = Checked::default();
    for language in Language::ALL.iter().copied() {
        // The longest words that may be made.
        let word = if language == Language::Ar { "مممممممم" } else { "wwwwwwwwww" };
        for kind in KINDS {
            for priority in Priority::ALL.iter().copied() {
                for drill in [false, true] {
                    checked.bulletin(&facts(kind, priority, drill), language, word);
                }
            }
        }
        for kind in [Answered::Stopped, Answered::Started, Answered::Help] {
            checked.text_message(language, "answer", sms::answer(kind, language));
        }
        for probe in [Probe::Test, Probe::Code("123456")] {
            checked.text_message(language, "test", &probe.sms(language, word));
            checked.mail(language, "test", &probe.mail(language));
            checked.text(language, "test", &probe.chat(language));
        }
    }
    if checked.faults.is_empty() { Ok(checked.count) } else { Err(checked.faults) }
}

#[derive(Default)]
struct Checked {
    count: usize,
    faults: Vec<String>,
}

impl Checked {
    fn bulletin(&mut self, facts: &Facts, language: Language, word: &str) {
        let name = facts.kind.as_str();
        self.text_message(language, name, &sms::text(facts, language, word));
        let reader = Reader { interface: language, untranslated: true, time_zone: Tz::UTC };
        let text = Reading { reference: "XA-2026-0001", language: "en", headline: "headline", body: "body" };
        let links = Links { sign_in: "https://tocsin.example", acknowledge: Some("https://tocsin.example/a") };
        self.mail(language, name, &email::mail(facts, reader, Some(text), links));
        self.text(language, name, &chat::text(facts, reader, Some(text), links));
        let shared = webhook::shared(facts, "00000000-0000-0000-0000-000000000000", 0, Some(text));
        let body = webhook::body(&shared, "id", links.acknowledge, facts.deadline);
        self.count += 1;
        if serde_json::from_str::<serde_json::Value>(&body).is_err() || body.len() > webhook::BODY_BYTES_MAX {
            self.faults.push(format!("webhook {name} in {language} is no JSON object of at most 20 KB"));
        }
    }

    fn text_message(&mut self, language: Language, name: &str, text: &str) {
        self.text(language, name, text);
        let counted = segments(text);
        if counted.count != 1 {
            self.faults.push(format!("SMS {name} in {language} takes {} segments", counted.count));
        }
    }

    fn mail(&mut self, language: Language, name: &str, mail: &Mail) {
        for part in [&mail.subject, &mail.plain, &mail.html] {
            self.text(language, name, part);
        }
        if mail.subject.chars().any(char::is_control) {
            self.faults.push(format!("the subject of e-mail {name} in {language} has more than one line"));
        }
    }

    /// Nothing is missing, and no place was left unfilled.
    fn text(&mut self, language: Language, name: &str, text: &str) {
        self.count += 1;
        let unfilled = ["{code}", "{urgency}", "{deadline}", "{word}"].iter().any(|place| text.contains(place));
        if text.trim().is_empty() || unfilled {
            self.faults.push(format!("the text {name} in {language} is empty or has an unfilled place"));
        }
    }
}

fn facts(kind: BulletinKind, priority: Priority, drill: bool) -> Facts {
    Facts {
        kind,
        short_code: "A7F3-K2W".to_owned(),
        priority,
        tlp: Tlp::Green,
        deadline: chrono::DateTime::UNIX_EPOCH,
        drill,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_renders_in_every_language() {
        assert!(check_templates().unwrap() > 500);
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        let mut checked = Checked::default();
        checked.text_message(Language::En, "long", &"a".repeat(161));
        checked.text(Language::Ar, "hollow", "code {code}");
        checked.text(Language::Fr, "empty", " ");
        assert_eq!(checked.faults.len(), 3, "{:?}", checked.faults);
        assert_eq!(checked.faults[0], "SMS long in en takes 2 segments");
    }
}

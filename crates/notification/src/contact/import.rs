//! Decoding an imported contact: every fault is named at once, and nothing passes that could break a header, a number
//! plan or a wall.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tocsin_domain::channel::{Channel, QuietHours};
use tocsin_domain::id::{ContactId, OrganisationId};
use tocsin_domain::language::{Language, LanguageTag};
use tocsin_domain::text::{CodeText, single_line};
use tocsin_domain::violation::FieldViolation;
use tocsin_proto::notification::v1::Contact;

use super::messenger::{is_matrix_room, is_signal_name};
use super::{Details, Rotation, shared_word};
use crate::channel::{OpenPgpKey, Scheme, WebhookSecret, WebhookUrl};
use crate::sms::{is_allowed, is_e164};

/// What the settings say about addresses.
#[derive(Debug, Clone)]
pub(crate) struct ImportRules {
    /// Telephone numbers must begin with one of these; empty allows all.
    pub(crate) phone_prefixes: Vec<String>,
    /// Lets `http://` through to loopback addresses.
    pub(crate) loopback_http: bool,
    /// A key must be usable now.
    pub(crate) now: DateTime<Utc>,
}

/// A contact as it passed.
#[derive(Debug, Clone)]
pub(crate) struct ImportedContact {
    pub(crate) contact_id: ContactId,
    pub(crate) organisation_id: Option<OrganisationId>,
    pub(crate) language: LanguageTag,
    pub(crate) time_zone: Tz,
    pub(crate) channels: Vec<Channel>,
    pub(crate) quiet_hours: Option<QuietHours>,
    pub(crate) urgent_overrides_quiet_hours: bool,
    /// The shared word, and a webhook secret that was not given, are still empty.
    pub(crate) details: Details,
}

/// Collects faults under one contact's path.
struct Faults<'a> {
    path: String,
    found: &'a mut Vec<FieldViolation>,
}

impl Faults<'_> {
    fn note(&mut self, field: &str, description: impl Into<String>) {
        self.found.push(FieldViolation::new(format!("{}.{field}", self.path), description));
    }

    fn parsed<T: FromStr>(&mut self, field: &str, given: &str) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        given.parse().map_err(|error: T::Err| self.note(field, error.to_string())).ok()
    }
}

impl ImportRules {
    /// Decodes the contact at this place of the request, or notes every fault of it.
    pub(crate) fn decode(
        &self,
        index: usize,
        contact: Contact,
        violations: &mut Vec<FieldViolation>,
    ) -> Option<ImportedContact> {
        let mut faults = Faults { path: format!("contacts[{index}]"), found: violations };
        let before = faults.found.len();
        let contact_id = faults.parsed("contact_id", &contact.contact_id);
        let organisation_id = match contact.organisation_id.as_str() {
            "" => None,
            given => faults.parsed("organisation_id", given),
        };
        let language = faults.parsed("language", &contact.language);
        let time_zone = contact.time_zone.parse::<Tz>().ok();
        if time_zone.is_none() {
            faults.note("time_zone", "must be a name of the time zone database, such as Europe/Berlin or Etc/GMT+3");
        }
        if !contact.role.is_empty() {
            let _: Option<CodeText> = faults.parsed("role", &contact.role);
        }
        let quiet_hours = match contact.quiet_hours.as_str() {
            "" => None,
            given => faults.parsed("quiet_hours", given),
        };
        let channels = channels(&contact, &mut faults);
        self.check_addresses(&contact, &channels, &mut faults);
        self.check_messengers(&contact, &channels, &mut faults);
        for (index, given) in contact.webhook_signatures.iter().enumerate() {
            let _: Option<Scheme> = faults.parsed(&format!("webhook_signatures[{index}]"), given);
        }
        if faults.found.len() > before {
            return None;
        }
        Some(ImportedContact {
            contact_id: contact_id?,
            organisation_id,
            language: language?,
            time_zone: time_zone?,
            channels,
            quiet_hours,
            urgent_overrides_quiet_hours: contact.urgent_overrides_quiet_hours,
            details: details_of(contact),
        })
    }

    fn check_addresses(&self, contact: &Contact, channels: &[Channel], faults: &mut Faults<'_>) {
        let missing = |channel, given: &str| channels.contains(&channel) && given.is_empty();
        if missing(Channel::Email, &contact.email) {
            faults.note("email", "is needed for the channel email");
        } else if !contact.email.is_empty() && !is_mail_address(&contact.email) {
            faults.note("email", "must be one e-mail address, such as alerts@org-1.example");
        }
        if !contact.openpgp_key.is_empty()
            && let Err(error) = OpenPgpKey::parse(&contact.openpgp_key).and_then(|key| key.check(self.now))
        {
            faults.note("openpgp_key", error.to_string());
        }
        if missing(Channel::Sms, &contact.phone) {
            faults.note("phone", "is needed for the channel sms");
        } else if !contact.phone.is_empty() && !is_e164(&contact.phone) {
            faults.note("phone", "must be in E.164 form: + and 7 to 15 digits, such as +447700900123");
        } else if !contact.phone.is_empty() && !is_allowed(&contact.phone, &self.phone_prefixes) {
            faults.note("phone", "its country is not among those that this installation sends to");
        }
        if missing(Channel::Webhook, &contact.webhook) {
            faults.note("webhook", "is needed for the channel webhook");
        } else if !contact.webhook.is_empty()
            && let Err(refusal) = WebhookUrl::parse(&contact.webhook, self.loopback_http)
        {
            faults.note("webhook", refusal.to_string());
        }
        if !contact.webhook_secret.is_empty()
            && let Err(error) = WebhookSecret::parse(&contact.webhook_secret)
        {
            faults.note("webhook_secret", error.to_string());
        }
    }

    fn check_messengers(&self, contact: &Contact, channels: &[Channel], faults: &mut Faults<'_>) {
        let missing = |channel, given: &str| channels.contains(&channel) && given.is_empty();
        if missing(Channel::Signal, &contact.signal) {
            faults.note("signal", "is needed for the channel signal");
        } else if is_e164(&contact.signal) && !is_allowed(&contact.signal, &self.phone_prefixes) {
            faults.note("signal", "its country is not among those that this installation sends to");
        } else if !contact.signal.is_empty() && !is_e164(&contact.signal) && !is_signal_name(&contact.signal) {
            faults.note("signal", "must be a number in E.164 form or a user name such as anna.01");
        }
        if missing(Channel::Matrix, &contact.matrix) {
            faults.note("matrix", "is needed for the channel matrix");
        } else if !contact.matrix.is_empty() && !is_matrix_room(&contact.matrix) {
            faults.note("matrix", "must be the id of a room, such as !room:matrix.example, not an alias or a user");
        }
    }
}

fn channels(contact: &Contact, faults: &mut Faults<'_>) -> Vec<Channel> {
    let mut channels = Vec::new();
    for (index, given) in contact.channels.iter().enumerate() {
        let field = format!("channels[{index}]");
        match given.parse::<Channel>() {
            Ok(channel) if channels.contains(&channel) => faults.note(&field, "this channel is listed twice"),
            Ok(channel) => channels.push(channel),
            Err(error) => faults.note(&field, error.to_string()),
        }
    }
    if contact.channels.is_empty() {
        faults.note("channels", "name at least one of email, sms, webhook, signal and matrix");
    }
    channels
}

/// Everything personal, without what is still to be made.
fn details_of(contact: Contact) -> Details {
    let mut details = Details::default();
    details.webhook_signatures = contact.webhook_signatures.join(" ");
    details.role = contact.role;
    details.email = contact.email;
    details.phone = contact.phone;
    details.webhook = contact.webhook;
    details.webhook_secret = contact.webhook_secret;
    details.openpgp_key = contact.openpgp_key;
    details.signal = contact.signal;
    details.matrix = contact.matrix;
    details
}

fn is_mail_address(given: &str) -> bool {
    given.len() <= 254 && single_line(given).is_ok() && given.parse::<lettre::Address>().is_ok()
}

impl ImportedContact {
    /// The language of our own words to this contact.
    pub(crate) fn interface(&self) -> Language {
        self.language.spoken().unwrap_or(Language::En)
    }

    /// Takes over what was made at an earlier import, and makes the rest. Webhook keys are made only for a contact with a
    /// webhook.
    pub(crate) fn complete(&mut self, earlier: Option<&Details>, rotation: Rotation) -> Result<(), getrandom::Error> {
        let kept_word = earlier.map(|details| details.shared_word.clone()).filter(|word| !word.is_empty());
        self.details.shared_word = kept_word.unwrap_or_else(|| shared_word(self.interface()));
        self.details.complete_webhook_keys(earlier, rotation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_contact_passes_and_gets_its_secrets_once() {
        let mut decoded = rules().decode(0, good(), &mut Vec::new()).unwrap();
        let rotation = Rotation { now: chrono::DateTime::UNIX_EPOCH, overlap_hours: 24 };
        decoded.complete(None, rotation).unwrap();
        assert!(!decoded.details.shared_word.is_empty() && decoded.details.webhook_secret.starts_with("whsec_"));
        let mut again = rules().decode(0, good(), &mut Vec::new()).unwrap();
        again.complete(Some(&decoded.details), rotation).unwrap();
        assert_eq!(again.details, decoded.details);
    }

    #[test]
    fn every_fault_is_named() {
        check(|contact| contact.email = "a@b.example\r\nBcc: x@y.example".to_owned(), "email");
        check(|contact| contact.email = "a\0@b.example".to_owned(), "email");
        check(|contact| contact.email = "A <a@b.example>".to_owned(), "email");
        check(|contact| contact.email = "a@b.example, c@d.example".to_owned(), "email");
        check(|contact| contact.email.clear(), "email");
        check(|contact| contact.phone = "07700900000".to_owned(), "phone");
        check(|contact| contact.phone = "+44 7700 900000".to_owned(), "phone");
        check(|contact| contact.phone = "+33612345678".to_owned(), "phone");
        check(|contact| contact.webhook = "http://hooks.org-1.example/".to_owned(), "webhook");
        check(|contact| contact.webhook = "https://10.0.0.1/".to_owned(), "webhook");
        check(|contact| contact.webhook_secret = "secret".to_owned(), "webhook_secret");
        check(|contact| contact.openpgp_key = "key".to_owned(), "openpgp_key");
        check(|contact| contact.signal = "07700900000".to_owned(), "signal");
        check(|contact| contact.signal = "+33612345678".to_owned(), "signal");
        check(|contact| contact.matrix = "#alerts:matrix.example".to_owned(), "matrix");
        check(|contact| contact.channels.push("signal".to_owned()), "signal");
        check(|contact| contact.channels.push("matrix".to_owned()), "matrix");
        check(|contact| contact.webhook_signatures = vec!["v2".to_owned()], "webhook_signatures[0]");
        check(|contact| contact.contact_id = "Org 1".to_owned(), "contact_id");
        check(|contact| contact.organisation_id = "Org 1".to_owned(), "organisation_id");
        check(|contact| contact.language = "english".to_owned(), "language");
        check(|contact| contact.time_zone = "Mars/Olympus".to_owned(), "time_zone");
        check(|contact| contact.quiet_hours = "22-7".to_owned(), "quiet_hours");
        check(|contact| contact.role = "Head of\n".to_owned(), "role");
        check(|contact| contact.channels = vec!["fax".to_owned()], "channels[0]");
        check(|contact| contact.channels.clear(), "channels");
        check(|contact| contact.channels = vec!["email".to_owned(), "email".to_owned()], "channels[1]");
    }

    fn check(change: impl FnOnce(&mut Contact), field: &str) {
        let mut contact = good();
        change(&mut contact);
        let mut violations = Vec::new();
        assert!(rules().decode(7, contact, &mut violations).is_none());
        let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, [format!("contacts[7].{field}")]);
    }

    fn rules() -> ImportRules {
        ImportRules {
            phone_prefixes: vec!["+44".to_owned(), "+1".to_owned()],
            loopback_http: false,
            now: DateTime::UNIX_EPOCH,
        }
    }

    fn good() -> Contact {
        Contact {
            contact_id: "org-1-c1".to_owned(),
            organisation_id: "org-1".to_owned(),
            role: "delegate".to_owned(),
            language: "ar".to_owned(),
            time_zone: "Etc/GMT+3".to_owned(),
            email: "alerts@org-1.example".to_owned(),
            phone: "+447700900000".to_owned(),
            webhook: "https://hooks.org-1.example/tocsin".to_owned(),
            channels: vec!["email".to_owned(), "sms".to_owned(), "webhook".to_owned()],
            quiet_hours: "22:00-07:00".to_owned(),
            urgent_overrides_quiet_hours: true,
            ..Contact::default()
        }
    }
}

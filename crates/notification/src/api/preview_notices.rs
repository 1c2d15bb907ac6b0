//! `PreviewNotices`: what one recipient of each channel and language would literally read, before anything is released.

use std::collections::{BTreeMap, HashMap};

use tocsin_domain::channel::{Channel, plan_notices};
use tocsin_domain::codes::Translation;
use tocsin_domain::language::LanguageTag;
use tocsin_domain::priority::Priority;
use tocsin_domain::tlp::Tlp;
use tocsin_platform::failure::Failure;
use tocsin_proto::common::v1::AlertText;
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::notification::v1::{NoticePreview, PreviewNoticesRequest, PreviewNoticesResponse};

use crate::bulletin::language_for;
use crate::contact::Recipient;
use crate::expand::NO_CHANNEL;
use crate::office::Office;
use crate::render::{BulletinKind, Facts, Links, Reader, Reading, chat, email, sms, webhook};

/// Names that are drawn at release and not known before.
const SHORT_CODE: &str = "XXXX-XXX";
const REFERENCE: &str = "XX-0000-0000";
const TOKEN: &str = "...";
/// Stands for the contact's own word, which is nobody else's business.
const WORD: &str = "(word)";
/// The most contacts of one request.
const CONTACTS_MAX: usize = 50_000;

/// The request, decoded.
struct Preview {
    facts: Facts,
    source: LanguageTag,
    reviewed: Vec<LanguageTag>,
    texts: Vec<AlertText>,
}

pub(super) async fn preview_notices(
    office: &Office,
    request: PreviewNoticesRequest,
) -> Result<PreviewNoticesResponse, Failure> {
    if request.contact_ids.len() > CONTACTS_MAX {
        return Err(Failure::invalid("TOO_MANY_CONTACTS", format!("ask for at most {CONTACTS_MAX} contacts at once")));
    }
    let ids = request.contact_ids.clone();
    let preview = decode(request)?;
    let contacts = office.directory.load(office.database.reader(), &ids).await?;
    Ok(preview.render(office, &ids, &contacts))
}

fn decode(request: PreviewNoticesRequest) -> Result<Preview, Failure> {
    let mut failure = Failure::invalid("INVALID_REQUEST", "the preview cannot be made from these fields");
    let mut note = |field: &str, description: String| failure.fields.push(violation(field, description));
    let priority = request.priority.parse::<Priority>().map_err(|error| note("priority", error.to_string())).ok();
    let tlp = request.tlp.parse::<Tlp>().map_err(|error| note("tlp", error.to_string())).ok();
    let source = request.source_language.parse::<LanguageTag>();
    let source = source.map_err(|error| note("source_language", error.to_string())).ok();
    let deadline = from_timestamp(request.deadline.as_ref());
    if deadline.is_none() {
        note("deadline", "is needed".to_owned());
    }
    let (Some(priority), Some(tlp), Some(source), Some(deadline)) = (priority, tlp, source, deadline) else {
        return Err(failure);
    };
    let texts: Vec<AlertText> =
        request.texts.into_iter().filter(|text| text.translation == Translation::Reviewed.as_str()).collect();
    let facts = Facts {
        kind: BulletinKind::Alert,
        short_code: SHORT_CODE.to_owned(),
        priority,
        tlp,
        deadline,
        drill: request.drill,
    };
    let reviewed = texts.iter().filter_map(|text| text.language.parse().ok()).collect();
    Ok(Preview { facts, source, reviewed, texts })
}

fn violation(field: &str, description: String) -> tocsin_platform::failure::FieldViolation {
    tocsin_platform::failure::FieldViolation { field: field.to_owned(), description }
}

impl Preview {
    fn render(
        &self,
        office: &Office,
        ids: &[String],
        contacts: &HashMap<String, std::sync::Arc<Recipient>>,
    ) -> PreviewNoticesResponse {
        let mut answer = PreviewNoticesResponse::default();
        let mut previews: BTreeMap<(&str, String), NoticePreview> = BTreeMap::new();
        let seconds = office.config.next_channel_seconds;
        let now = office.clock.now();
        for id in ids {
            let Some(contact) = contacts.get(id) else {
                *answer.notices_by_channel.entry(NO_CHANNEL.to_owned()).or_default() += 1;
                continue;
            };
            let language = language_for(&contact.language, &self.reviewed, &self.source);
            *answer.contacts_by_language.entry(language.to_string()).or_default() += 1;
            let plan = plan_notices(&contact.channels(), self.facts.priority, self.facts.tlp, seconds, now);
            if plan.suppressed {
                *answer.notices_by_channel.entry(NO_CHANNEL.to_owned()).or_default() += 1;
            }
            for planned in plan.start.iter().chain(&plan.later) {
                let channel = planned.channel;
                *answer.notices_by_channel.entry(channel.as_str().to_owned()).or_default() += 1;
                // An SMS is written in the contact's own language, the others hold the text's.
                let shown = if channel == Channel::Sms { contact.interface.as_str() } else { language.as_str() };
                previews
                    .entry((channel.as_str(), shown.to_owned()))
                    .or_insert_with(|| self.one(office, contact, channel, &language, shown));
            }
        }
        answer.previews = previews.into_values().collect();
        answer
    }

    fn one(
        &self,
        office: &Office,
        contact: &Recipient,
        channel: Channel,
        language: &LanguageTag,
        shown: &str,
    ) -> NoticePreview {
        let acknowledge = office.acknowledge_url(TOKEN, contact.interface);
        let reading = self.reading(language);
        let untranslated = *language != contact.language;
        let reader = Reader { interface: contact.interface, untranslated, time_zone: contact.time_zone };
        let links = Links { sign_in: &office.public_url, acknowledge: acknowledge.as_deref() };
        let (subject, text) = match channel {
            Channel::Email => {
                let mail = email::mail(&self.facts, reader, reading, links);
                (mail.subject, mail.plain)
            }
            Channel::Sms => (String::new(), sms::text(&self.facts, contact.interface, WORD)),
            Channel::Signal | Channel::Matrix => (String::new(), chat::text(&self.facts, reader, reading, links)),
            Channel::Webhook => {
                let shared = webhook::shared(&self.facts, "", 0, reading);
                (String::new(), webhook::body(&shared, "", acknowledge.as_deref(), office.clock.now()))
            }
        };
        NoticePreview { channel: channel.as_str().to_owned(), language: shown.to_owned(), subject, text }
    }

    fn reading(&self, language: &LanguageTag) -> Option<Reading<'_>> {
        let text = self.texts.iter().find(|text| text.language == language.as_str())?;
        Some(Reading { reference: REFERENCE, language: &text.language, headline: &text.headline, body: &text.body })
    }
}

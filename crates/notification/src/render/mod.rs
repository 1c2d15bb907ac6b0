//! What a recipient literally reads, on each channel and in each language. Pure: facts in, text out.
//!
//! Above TLP:GREEN a notice is a pointer. The short code, the urgency, the deadline and where to sign in are all that it
//! says; the reference and the text appear at CLEAR and GREEN only, and never in an SMS.

pub(crate) mod chat;
mod clean;
pub(crate) mod email;
pub(crate) mod probe;
pub(crate) mod segments;
pub(crate) mod sms;
pub(crate) mod webhook;
mod words;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tocsin_domain::language::Language;
use tocsin_domain::priority::Priority;
use tocsin_domain::tlp::Tlp;

use crate::contact::Recipient;

/// What a bulletin is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BulletinKind {
    /// An alert, to the network.
    Alert,
    /// A case waits for an answer, to the duty officers.
    Page,
    /// A notice finally failed, to the coordinator who takes over by hand.
    Handover,
    /// Their webhook answered 410 and is used no further, to the member.
    WebhookGone,
}

impl BulletinKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Page => "page",
            Self::Handover => "handover",
            Self::WebhookGone => "webhook_gone",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Alert, Self::Page, Self::Handover, Self::WebhookGone].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What all notices of a bulletin have in common.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) kind: BulletinKind,
    pub(crate) short_code: String,
    pub(crate) priority: Priority,
    pub(crate) tlp: Tlp,
    pub(crate) deadline: DateTime<Utc>,
    pub(crate) drill: bool,
}

/// A text that may travel, in the language in which the contact reads it.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) reference: &'a str,
    pub(crate) language: &'a str,
    pub(crate) headline: &'a str,
    pub(crate) body: &'a str,
}

/// Who reads, as far as the words depend on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    /// The language of our own words.
    pub(crate) interface: Language,
    /// Whether the text stands in another language than the contact's, for want of a reviewed translation.
    pub(crate) untranslated: bool,
    pub(crate) time_zone: Tz,
}

impl Reader {
    /// A recipient who is given the text in this language.
    pub(crate) fn of(recipient: &Recipient, language: &str) -> Self {
        Self {
            interface: recipient.interface,
            untranslated: language != recipient.language.as_str(),
            time_zone: recipient.time_zone,
        }
    }
}

/// Where the recipient goes next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links<'a> {
    /// Where to sign in.
    pub(crate) sign_in: &'a str,
    /// The page on which one press acknowledges; none for staff.
    pub(crate) acknowledge: Option<&'a str>,
}

/// A deadline with its offset, in the reader's time zone.
fn deadline_in(facts: &Facts, time_zone: Tz) -> String {
    facts.deadline.with_timezone(&time_zone).format("%Y-%m-%d %H:%M %:z").to_string()
}

//! The channels: how one attempt is made by e-mail, SMS or webhook, and how its end is told.

mod africas_talking;
mod callback;
mod dkim;
mod generic;
mod guard;
mod kannel;
mod message;
mod messenger;
mod openpgp;
mod session;
mod signature;
mod smarthost;
mod smarthosts;
mod sms;
mod starttls;
mod status;
mod tally;
mod twilio;
mod vonage;
mod webhook;

use tocsin_domain::notice::NoticeState;

pub(crate) use callback::{Callback, Incoming};
pub(crate) use dkim::DkimSigners;
pub(crate) use guard::WebhookUrl;
#[cfg(test)]
pub(crate) use guard::{UrlRefusal, is_special_purpose};
pub(crate) use message::{Letter, Mail, MailHeaders, MessageError};
pub(crate) use messenger::{ChatMessage, Messengers};
pub(crate) use openpgp::{OpenPgpError, OpenPgpKey};
pub(crate) use session::{SessionFailure, Stage};
pub(crate) use signature::{Scheme, WebhookKeys, WebhookKeysBefore, WebhookSecret, WebhookSigningKey};
pub(crate) use smarthosts::{Smarthosts, judge as judge_mail};
pub(crate) use sms::{Gateways, SmsMessage};
pub(crate) use status::{BounceClass, EnhancedStatus};
pub(crate) use tally::Seen;
#[cfg(test)]
pub(crate) use webhook::Network;
pub(crate) use webhook::{SystemNetwork, WebhookPost, Webhooks};

/// How one attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The other side took it. Accepted by a gateway is not delivered.
    Taken { state: NoticeState, code: String, provider_id: Option<String> },
    /// It may work later.
    Temporary { code: String, pace: Pace, retry_after_seconds: Option<u32>, throttled: bool },
    /// The other side refused; after this many attempts for good.
    Refused { code: String, tries: i32 },
    /// The other side says that this address is no more: it is used no further.
    Gone { code: String },
    /// Nothing was sent, because it may not start any more.
    Withheld { state: NoticeState, reason: &'static str },
    /// Nothing was sent yet, because the destination asked to be left alone for so long.
    Postponed { code: &'static str, seconds: u32 },
}

/// An attempt's end, and what may be kept of the other side's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempted {
    pub(crate) outcome: Outcome,
    /// At most 2 KiB, without addresses, numbers, tokens and anything that was sent.
    pub(crate) answer: Option<String>,
    /// The smarthost or gateway that was asked; none for webhooks, and where none was.
    pub(crate) gateway: Option<String>,
}

impl From<Outcome> for Attempted {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, answer: None, gateway: None }
    }
}

impl Attempted {
    /// The end of an attempt by a gateway.
    pub(crate) fn by(gateway: &str, outcome: Outcome) -> Self {
        Self { outcome, answer: None, gateway: Some(gateway.to_owned()) }
    }
}

/// Which list of delays a temporary failure follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The list of the notice's lane.
    Lane,
    /// The list for a mail server's 4xx.
    MailServer,
}

impl Outcome {
    /// A temporary failure at the pace of the lane.
    pub(crate) fn temporary(code: impl Into<String>) -> Self {
        Self::Temporary { code: code.into(), pace: Pace::Lane, retry_after_seconds: None, throttled: false }
    }

    /// Taken, in this state.
    pub(crate) fn taken(state: NoticeState, code: impl Into<String>) -> Self {
        Self::Taken { state, code: code.into(), provider_id: None }
    }
}

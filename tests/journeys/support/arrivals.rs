//! What arrived at the receivers, told by alert and recipient, so that each promise can be held against it.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;
use tocsin_proto::notification::v1::Contact;

use crate::mail::header;
use crate::receivers::Receivers;

/// The moments at which a recipient got an alert, by the alert's short code and the recipient as [`recipient`] names it.
pub type Arrivals = BTreeMap<(String, String), Vec<Instant>>;

/// Everything that arrived and belongs to an alert.
pub fn arrivals(receivers: &Receivers) -> Arrivals {
    let mut arrivals = Arrivals::new();
    let mut note = |code: Option<String>, recipient: String, at: Instant| {
        if let Some(code) = code {
            arrivals.entry((code, recipient)).or_default().push(at);
        }
    };
    for mail in receivers.mail.log().all() {
        let subject = header(&mail.item.data, "subject").unwrap_or_default();
        note(short_code_in(&subject), format!("email {}", mail.item.to.join(",")), mail.at);
    }
    for sms in receivers.sms.log().all() {
        note(short_code_in(&sms.item.text), format!("sms {}", sms.item.to), sms.at);
    }
    for hook in receivers.webhook.log().all() {
        let body: Value = serde_json::from_slice(&hook.item.body).unwrap_or_default();
        let code = body["data"]["short_code"].as_str().map(str::to_owned);
        note(code, format!("webhook {}{}", hook.item.host, hook.item.path), hook.at);
    }
    arrivals
}

/// How a contact is named on one of its channels where something arrives.
pub fn recipient(contact: &Contact, channel: &str) -> String {
    let at = match channel {
        "email" => contact.email.as_str(),
        "sms" => contact.phone.as_str(),
        _ => contact.webhook.trim_start_matches("https://"),
    };
    format!("{channel} {at}")
}

/// A short code as `A7F3-K2C` in a text.
pub fn short_code_in(text: &str) -> Option<String> {
    let is_code = |word: &&str| {
        word.len() == 8
            && word.bytes().enumerate().all(|(index, byte)| {
                if index == 4 { byte == b'-' } else { byte.is_ascii_uppercase() || byte.is_ascii_digit() }
            })
    };
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '-')
        .find(is_code)
        .map(str::to_owned)
}

//! Twilio's Programmable Messaging: a form to `Messages.json`, and signed forms back.

use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use tocsin_domain::notice::NoticeState;

use super::Outcome;
use super::callback::{Callback, Incoming, Told};
use super::sms::SmsMessage;
use crate::config::GatewayConfig;
use crate::sms::MessageId;

/// Errors that say that this number takes no message, whoever sends it: it is none, unsubscribed, or no mobile. That the
/// account or the route does not reach it (21408, 21612) says nothing about another gateway.
const NUMBER_ERRORS: [i64; 4] = [21211, 21610, 21614, 21635];

#[derive(Deserialize)]
struct Answer {
    sid: Option<String>,
    code: Option<i64>,
    error_code: Option<i64>,
}

pub(super) fn request(client: &Client, gateway: &GatewayConfig, message: &SmsMessage<'_>) -> Option<RequestBuilder> {
    let from = gateway.from.as_deref()?;
    // A messaging service chooses the sender itself.
    let sender = if from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
    let mut form = vec![("To", message.to), (sender, from), ("Body", message.text)];
    if !message.receipt_url.is_empty() {
        form.push(("StatusCallback", message.receipt_url));
    }
    let password = gateway.password.as_ref()?.expose();
    Some(client.post(&gateway.url).basic_auth(gateway.username.as_deref()?, Some(password)).form(&form))
}

pub(super) fn judge(status: StatusCode, answer: &str) -> Outcome {
    let answer: Option<Answer> = serde_json::from_str(answer).ok();
    let error = answer.as_ref().and_then(|answer| answer.code.or(answer.error_code));
    let code = error.map_or_else(|| format!("http_{}", status.as_u16()), |error| format!("twilio_{error}"));
    match status.as_u16() {
        200..=299 if error.is_some() => Outcome::Refused { code, tries: 3 },
        200..=299 => match answer.and_then(|answer| answer.sid).as_deref().and_then(MessageId::parse) {
            Some(id) => Outcome::Taken { state: NoticeState::Accepted, code, provider_id: Some(id.to_string()) },
            None => Outcome::taken(NoticeState::HandedToGateway, code),
        },
        408 | 425 | 429 | 500..=599 => Outcome::temporary(code),
        _ if error.is_some_and(|error| NUMBER_ERRORS.contains(&error)) => Outcome::Refused { code, tries: 1 },
        _ => Outcome::Refused { code, tries: 3 },
    }
}

/// A status callback.
pub(super) fn told(call: &Callback<'_>) -> Option<Told> {
    let state = match call.form("MessageStatus").or_else(|| call.form("SmsStatus"))? {
        "accepted" | "scheduled" | "queued" | "sending" => NoticeState::HandedToGateway,
        "sent" => NoticeState::Accepted,
        "delivered" | "read" => NoticeState::Delivered,
        "undelivered" | "failed" | "canceled" => NoticeState::RejectedPermanent,
        _ => return None,
    };
    let id = call.form("MessageSid").or_else(|| call.form("SmsSid"));
    Some(Told { message_id: id.and_then(MessageId::parse), state })
}

pub(super) fn incoming(call: &Callback<'_>) -> Option<Incoming> {
    Some(Incoming::new(call.form("From")?, call.form("Body")?, call.form("MessageSid")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        check(201, r#"{"sid":"SM00aB","status":"queued","error_code":null}"#, "accepted SM00aB");
        check(201, r#"{"status":"queued"}"#, "handed_to_gateway");
        check(200, "", "handed_to_gateway");
        check(400, r#"{"code":21610,"message":"unsubscribed","status":400}"#, "refused twilio_21610 1");
        check(400, r#"{"code":21211}"#, "refused twilio_21211 1");
        check(400, r#"{"code":21408}"#, "refused twilio_21408 3");
        check(401, r#"{"code":20003}"#, "refused twilio_20003 3");
        check(429, r#"{"code":20429}"#, "later twilio_20429");
        check(503, "busy", "later http_503");
    }

    fn check(status: u16, answer: &str, expected: &str) {
        let shown = match judge(StatusCode::from_u16(status).unwrap(), answer) {
            Outcome::Taken { state, provider_id, .. } => {
                provider_id.map_or_else(|| state.to_string(), |id| format!("{state} {id}"))
            }
            Outcome::Temporary { code, .. } => format!("later {code}"),
            Outcome::Refused { code, tries } => format!("refused {code} {tries}"),
            _ => "other".to_owned(),
        };
        assert_eq!(shown, expected, "{status} {answer}");
    }
}

//! Vonage's Messages API: JSON to `/v1/messages`, and JSON back under a signed token.

use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tocsin_domain::notice::NoticeState;

use super::Outcome;
use super::callback::{Callback, Incoming, Told};
use super::sms::SmsMessage;
use crate::config::GatewayConfig;
use crate::render::segments::segments;
use crate::sms::MessageId;

#[derive(Deserialize)]
struct Answer {
    message_uuid: Option<String>,
}

pub(super) fn request(client: &Client, gateway: &GatewayConfig, message: &SmsMessage<'_>) -> Option<RequestBuilder> {
    let encoding = if segments(message.text).gsm7 { "text" } else { "unicode" };
    let mut body = json!({
        "message_type": "text",
        "channel": "sms",
        // Numbers are written without the plus.
        "to": message.to.strip_prefix('+')?,
        "from": gateway.from.as_deref()?,
        "text": message.text,
        "client_ref": message.id,
        "sms": { "encoding_type": encoding },
    });
    if !message.receipt_url.is_empty()
        && let Some(fields) = body.as_object_mut()
    {
        fields.insert("webhook_url".to_owned(), message.receipt_url.into());
        fields.insert("webhook_version".to_owned(), "v1".into());
    }
    let password = gateway.password.as_ref()?.expose();
    let request = client.post(&gateway.url).basic_auth(gateway.username.as_deref()?, Some(password));
    Some(request.header(reqwest::header::ACCEPT, "application/json").json(&body))
}

pub(super) fn judge(status: StatusCode, answer: &str) -> Outcome {
    let code = format!("http_{}", status.as_u16());
    let id = || serde_json::from_str::<Answer>(answer).ok()?.message_uuid.as_deref().and_then(MessageId::parse);
    match status.as_u16() {
        200..=299 => match id() {
            Some(id) => Outcome::Taken { state: NoticeState::Accepted, code, provider_id: Some(id.to_string()) },
            None => Outcome::taken(NoticeState::HandedToGateway, code),
        },
        // 402: the account is out of money, which somebody can mend.
        402 | 408 | 425 | 429 | 500..=599 => Outcome::temporary(code),
        _ => Outcome::Refused { code, tries: 3 },
    }
}

/// A status webhook.
pub(super) fn told(call: &Callback<'_>) -> Option<Told> {
    let state = match call.json("status")? {
        "submitted" => NoticeState::Accepted,
        "delivered" | "read" => NoticeState::Delivered,
        "rejected" | "undeliverable" => NoticeState::RejectedPermanent,
        _ => return None,
    };
    Some(Told { message_id: call.json("message_uuid").and_then(MessageId::parse), state })
}

pub(super) fn incoming(call: &Callback<'_>) -> Option<Incoming> {
    Some(Incoming::new(call.json("from")?, call.json("text")?, call.json("message_uuid")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        check(202, r#"{"message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"}"#, "accepted");
        check(202, "{}", "handed_to_gateway");
        check(202, "", "handed_to_gateway");
        check(402, r#"{"title":"Low balance"}"#, "later");
        check(422, r#"{"title":"Invalid params"}"#, "refused");
        check(401, "", "refused");
        check(429, "", "later");
    }

    fn check(status: u16, answer: &str, expected: &str) {
        let shown = match judge(StatusCode::from_u16(status).unwrap(), answer) {
            Outcome::Taken { state, .. } => state.as_str(),
            Outcome::Temporary { .. } => "later",
            Outcome::Refused { .. } => "refused",
            _ => "other",
        };
        assert_eq!(shown, expected, "{status} {answer}");
    }
}

//! An SMS gateway with any HTTP interface, described in the settings.

use reqwest::StatusCode;
use tocsin_domain::notice::NoticeState;

use super::Outcome;
use super::callback::{Callback, Incoming, Told};
use super::sms::SmsMessage;
use crate::config::GatewayConfig;
use crate::sms::MessageId;

/// The body with its places filled. Values are escaped as inside a JSON string, so no value can end its own.
pub(super) fn body(template: &str, message: &SmsMessage<'_>) -> String {
    let values =
        [("{to}", message.to), ("{text}", message.text), ("{id}", message.id), ("{receipt_url}", message.receipt_url)];
    let mut filled = String::with_capacity(template.len() + message.text.len() + 200);
    let mut rest = template;
    // One pass from left to right: what a value holds is never looked at again.
    while let Some((at, place, value)) = first_place(rest, &values) {
        filled.push_str(rest.get(..at).unwrap_or_default());
        filled.push_str(&escaped(value));
        rest = rest.get(at + place.len()..).unwrap_or_default();
    }
    filled.push_str(rest);
    filled
}

fn first_place<'a>(rest: &str, values: &[(&'a str, &'a str)]) -> Option<(usize, &'a str, &'a str)> {
    let found = values.iter().filter_map(|(place, value)| rest.find(place).map(|at| (at, *place, *value)));
    found.min_by_key(|(at, _, _)| *at)
}

fn escaped(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// What the gateway's answer means. A success without an id says nothing that we know.
pub(super) fn judge(gateway: &GatewayConfig, status: StatusCode, answer: &str) -> Outcome {
    let code = format!("http_{}", status.as_u16());
    let answer = serde_json::from_str::<serde_json::Value>(answer).ok();
    let text_at = |pointer: Option<&str>| text_of(answer.as_ref()?.pointer(pointer?)?);
    if gateway.success_status.contains(&status.as_u16()) {
        return match text_at(gateway.id_pointer.as_deref()).as_deref().and_then(MessageId::parse) {
            Some(id) => Outcome::Taken { state: NoticeState::Accepted, code, provider_id: Some(id.to_string()) },
            None => Outcome::taken(NoticeState::HandedToGateway, code),
        };
    }
    let error = text_at(gateway.error_pointer.as_deref());
    match status.as_u16() {
        200..=299 => Outcome::taken(NoticeState::HandedToGateway, code),
        _ if error.is_some_and(|error| gateway.number_errors.contains(&error)) => Outcome::Refused { code, tries: 1 },
        408 | 425 | 429 | 500..=599 => Outcome::temporary(code),
        _ => Outcome::Refused { code, tries: 3 },
    }
}

fn text_of(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A value of the call by its name, wherever the gateway puts it.
fn anywhere<'a>(call: &'a Callback<'_>, name: &str) -> Option<std::borrow::Cow<'a, str>> {
    let given = call.query(name).or_else(|| call.form(name));
    given.map(Into::into).or_else(|| text_of(call.json.as_ref()?.get(name)?).map(Into::into))
}

/// A receipt: `status` in one of the words that gateways use, and `message_id` where the address is not the message's own.
pub(super) fn told(call: &Callback<'_>) -> Option<Told> {
    let state = match anywhere(call, "status")?.to_ascii_lowercase().as_str() {
        "delivered" | "delivrd" => NoticeState::Delivered,
        "accepted" | "sent" | "acceptd" => NoticeState::Accepted,
        "queued" | "buffered" | "submitted" | "enroute" => NoticeState::HandedToGateway,
        "failed" | "undelivered" | "undeliv" | "rejected" | "rejectd" | "expired" => NoticeState::RejectedPermanent,
        _ => return None,
    };
    Some(Told { message_id: anywhere(call, "message_id").as_deref().and_then(MessageId::parse), state })
}

pub(super) fn incoming(call: &Callback<'_>) -> Option<Incoming> {
    let id = anywhere(call, "message_id");
    Some(Incoming::new(&anywhere(call, "from")?, &anywhere(call, "text")?, id.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out_of_the_body() {
        let message = SmsMessage { to: "+44\"", text: "{to}\n\\", id: "n1", receipt_url: "http://x/?a=1&b=2" };
        let filled = body(r#"{"to":"{to}","text":"{text}","ref":"{id}","cb":"{receipt_url}"}"#, &message);
        let parsed: serde_json::Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(
            parsed,
            serde_json::json!({"to": "+44\"", "text": "{to}\n\\", "ref": "n1", "cb": "http://x/?a=1&b=2"})
        );
    }

    #[test]
    fn success_without_an_id_is_unknown() {
        check(201, r#"{"messages":[{"id":"00af"}]}"#, "accepted af");
        check(201, r#"{"messages":[{"id":7}]}"#, "accepted 7");
        check(201, r#"{"messages":[]}"#, "handed_to_gateway");
        check(201, r#"{"messages":[{"id":null}]}"#, "handed_to_gateway");
        check(201, "not json", "handed_to_gateway");
        check(200, "", "handed_to_gateway");
        check(500, "", "later");
        check(401, "", "refused");
        check(500, r#"{"error":"unknown_number"}"#, "refused");
    }

    fn check(status: u16, answer: &str, expected: &str) {
        let gateway: GatewayConfig = serde_json::from_value(serde_json::json!({
            "name": "g", "kind": "generic", "url": "https://sms.example", "body": "", "success_status": [201],
            "id_pointer": "/messages/0/id", "error_pointer": "/error", "number_errors": ["unknown_number"],
        }))
        .unwrap();
        let shown = match judge(&gateway, StatusCode::from_u16(status).unwrap(), answer) {
            Outcome::Taken { state, provider_id: Some(id), .. } => format!("{state} {id}"),
            Outcome::Taken { state, .. } => state.to_string(),
            Outcome::Temporary { .. } => "later".to_owned(),
            _ => "refused".to_owned(),
        };
        assert_eq!(shown, expected, "{status} {answer}");
    }
}

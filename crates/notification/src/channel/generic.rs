//! An SMS gateway with any HTTP interface, described in the settings.

use reqwest::StatusCode;
use tocsin_domain::notice::NoticeState;

use super::Outcome;
use super::sms::SmsMessage;
use crate::config::GatewayConfig;

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

/// What the gateway's answer means.
pub(super) fn judge(gateway: &GatewayConfig, status: StatusCode, answer: &str) -> Outcome {
    let code = format!("http_{}", status.as_u16());
    if gateway.success_status.contains(&status.as_u16()) {
        return match provider_id(gateway, answer) {
            Some(id) => Outcome::Taken { state: NoticeState::Accepted, code, provider_id: Some(id) },
            None => Outcome::taken(NoticeState::UnknownNoReceipt, code),
        };
    }
    match status.as_u16() {
        200..=299 => Outcome::taken(NoticeState::UnknownNoReceipt, code),
        408 | 425 | 429 | 500..=599 => Outcome::temporary(code),
        _ => Outcome::Refused { code, tries: 3 },
    }
}

/// The gateway's own id, at most 64 characters without controls.
fn provider_id(gateway: &GatewayConfig, answer: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(answer).ok()?;
    let id = answer.pointer(gateway.id_pointer.as_deref()?)?;
    let text = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let fits = !text.is_empty() && text.chars().count() <= 64 && !text.chars().any(char::is_control);
    (fits && !id.is_null()).then_some(text)
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
        check(201, r#"{"messages":[{"id":"00af"}]}"#, "accepted 00af");
        check(201, r#"{"messages":[{"id":7}]}"#, "accepted 7");
        check(201, r#"{"messages":[]}"#, "unknown_no_receipt");
        check(201, r#"{"messages":[{"id":null}]}"#, "unknown_no_receipt");
        check(201, "not json", "unknown_no_receipt");
        check(200, "", "unknown_no_receipt");
        check(500, "", "later");
        check(401, "", "refused");
    }

    fn check(status: u16, answer: &str, expected: &str) {
        let gateway = GatewayConfig {
            name: "g".to_owned(),
            kind: crate::config::GatewayKind::Generic,
            url: "https://sms.example".to_owned(),
            username: None,
            password: None,
            password_file: None,
            method: None,
            headers: std::collections::BTreeMap::new(),
            body: Some(String::new()),
            success_status: vec![201],
            id_pointer: Some("/messages/0/id".to_owned()),
        };
        let shown = match judge(&gateway, StatusCode::from_u16(status).unwrap(), answer) {
            Outcome::Taken { state, provider_id: Some(id), .. } => format!("{state} {id}"),
            Outcome::Taken { state, .. } => state.to_string(),
            Outcome::Temporary { .. } => "later".to_owned(),
            _ => "refused".to_owned(),
        };
        assert_eq!(shown, expected, "{status} {answer}");
    }
}

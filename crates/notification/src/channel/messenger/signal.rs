//! Signal through signal-cli-rest-api: `POST /v2/send`. It knows no id of ours, so a message whose answer was lost may
//! come twice.

use reqwest::{Client, RequestBuilder};
use serde_json::json;
use tocsin_domain::notice::NoticeState;

use super::{Answer, ChatMessage, Judged, Trouble};
use crate::channel::Outcome;
use crate::config::SignalConfig;

pub(super) fn request(client: &Client, config: &SignalConfig, message: &ChatMessage<'_>) -> Option<RequestBuilder> {
    if config.url.is_empty() {
        return None;
    }
    let url = format!("{}/v2/send", config.url.trim_end_matches('/'));
    let body = json!({ "message": message.text, "number": config.number, "recipients": [message.to] });
    Some(client.post(url).json(&body))
}

/// 201 with the message's timestamp is taken. A rate limit comes as 429, or as 400 from older gateways, and can be lifted
/// by a captcha when the answer holds challenge tokens.
pub(super) fn judge(answer: &Answer) -> Judged {
    let code = format!("http_{}", answer.status.as_u16());
    let error = answer.text("error").to_ascii_lowercase();
    let challenged = answer.body.get("challenge_tokens").and_then(serde_json::Value::as_array);
    let asks_captcha = error.contains("captcha") || challenged.is_some_and(|tokens| !tokens.is_empty());
    match answer.status.as_u16() {
        200..=299 => taken(answer, code).into(),
        _ if asks_captcha => Judged::later("signal_captcha", Trouble::Captcha, answer.retry_after_seconds),
        429 => Judged::later("signal_rate_limited", Trouble::RateLimited, answer.retry_after_seconds),
        400 if error.contains("rate limit") => Judged::later("signal_rate_limited", Trouble::RateLimited, None),
        400 if error.contains("unregistered") => {
            Outcome::Refused { code: "signal_unregistered".to_owned(), tries: 1 }.into()
        }
        408 | 425 | 500..=599 => Outcome::temporary(code).into(),
        _ => Outcome::Refused { code, tries: 3 }.into(),
    }
}

/// The timestamp is the message's only name; without it nobody can say what was taken.
fn taken(answer: &Answer, code: String) -> Outcome {
    let timestamp = match answer.body.get("timestamp") {
        Some(serde_json::Value::String(text)) => text.parse::<u64>().ok(),
        Some(number) => number.as_u64(),
        None => None,
    };
    match timestamp {
        Some(timestamp) => {
            Outcome::Taken { state: NoticeState::Accepted, code, provider_id: Some(timestamp.to_string()) }
        }
        None => Outcome::taken(NoticeState::UnknownNoReceipt, code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_its_meaning() {
        check(201, r#"{"timestamp":"1780000000000"}"#, "accepted 1780000000000");
        check(201, r#"{"timestamp":1780000000000}"#, "accepted 1780000000000");
        check(201, "{}", "unknown_no_receipt");
        check(200, r#"{"timestamp":"soon"}"#, "unknown_no_receipt");
        check(429, r#"{"error":"rate limit","challenge_tokens":["t"]}"#, "signal_captcha, a captcha");
        check(400, r#"{"error":"CAPTCHA proof required for sending"}"#, "signal_captcha, a captcha");
        check(429, r#"{"error":"Too many requests"}"#, "signal_rate_limited, slower");
        check(400, r#"{"error":"Failed to send message due to rate limiting"}"#, "signal_rate_limited, slower");
        check(400, r#"{"error":"Unregistered user"}"#, "refused signal_unregistered after 1");
        check(400, r#"{"error":"Invalid account"}"#, "refused http_400 after 3");
        check(502, "", "http_502");
    }

    fn check(status: u16, body: &str, expected: &str) {
        let status = reqwest::StatusCode::from_u16(status).unwrap();
        let body = serde_json::from_str(body).unwrap_or_default();
        let judged = judge(&Answer { status, retry_after_seconds: None, body });
        let trouble = match judged.trouble {
            Some(Trouble::Captcha) => ", a captcha",
            Some(Trouble::RateLimited) => ", slower",
            Some(Trouble::LoggedOut) => ", logged out",
            None => "",
        };
        let shown = match judged.outcome {
            Outcome::Taken { state, provider_id: Some(id), .. } => format!("{state} {id}"),
            Outcome::Taken { state, .. } => state.to_string(),
            Outcome::Temporary { code, .. } => code,
            Outcome::Refused { code, tries } => format!("refused {code} after {tries}"),
            other => format!("{other:?}"),
        };
        assert_eq!(format!("{shown}{trouble}"), expected);
    }
}

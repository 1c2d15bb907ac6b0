//! Matrix through the client-server API of our homeserver: `PUT .../send/m.room.message/{txnId}`. The notice's id is the
//! transaction, so a repeat makes no second message.

use reqwest::{Client, RequestBuilder};
use serde_json::json;
use tocsin_domain::notice::NoticeState;
use url::Url;

use super::{Answer, ChatMessage, Judged, Trouble};
use crate::channel::Outcome;
use crate::config::MatrixConfig;

pub(super) fn request(client: &Client, config: &MatrixConfig, message: &ChatMessage<'_>) -> Option<RequestBuilder> {
    let token = config.access_token.as_ref().filter(|_| !config.url.is_empty())?;
    let mut url = Url::parse(&config.url).ok()?;
    // Each is one segment, whatever it holds.
    let path = ["_matrix", "client", "v3", "rooms", message.to, "send", "m.room.message", message.id];
    url.path_segments_mut().ok()?.pop_if_empty().extend(path);
    let body = json!({ "msgtype": "m.text", "body": message.text });
    Some(client.put(url).bearer_auth(token.expose()).json(&body))
}

/// 200 with the event's id is taken; the rest goes by the standard error codes.
pub(super) fn judge(answer: &Answer) -> Judged {
    let code = format!("http_{}", answer.status.as_u16());
    match (answer.status.as_u16(), answer.text("errcode")) {
        (200, _) => taken(answer, code).into(),
        (429, _) => {
            let from_body = answer.body.get("retry_after_ms").and_then(serde_json::Value::as_u64);
            let seconds = from_body.and_then(|milliseconds| u32::try_from(milliseconds.div_ceil(1000)).ok());
            Judged::later("matrix_rate_limited", Trouble::RateLimited, answer.retry_after_seconds.or(seconds))
        }
        (401 | 403, _) if asks_captcha(answer) => Judged::later("matrix_captcha", Trouble::Captcha, None),
        (401, _) | (403, "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN" | "M_USER_LOCKED" | "M_USER_SUSPENDED") => {
            Judged::later("matrix_logged_out", Trouble::LoggedOut, None)
        }
        (403, _) => Outcome::Refused { code: "matrix_forbidden".to_owned(), tries: 3 }.into(),
        (404, _) => Outcome::Refused { code: "matrix_unknown_room".to_owned(), tries: 3 }.into(),
        (408 | 425 | 500..=599, _) => Outcome::temporary(code).into(),
        _ => Outcome::Refused { code, tries: 3 }.into(),
    }
}

/// A stage of user-interactive authentication, or an error of its own.
fn asks_captcha(answer: &Answer) -> bool {
    if matches!(answer.text("errcode"), "M_CAPTCHA_NEEDED" | "M_CAPTCHA_INVALID") {
        return true;
    }
    let flows = answer.body.get("flows").and_then(serde_json::Value::as_array);
    let mut stages = flows.into_iter().flatten().filter_map(|flow| flow.get("stages")?.as_array()).flatten();
    stages.any(|stage| stage.as_str() == Some("m.login.recaptcha"))
}

fn taken(answer: &Answer, code: String) -> Outcome {
    let event = answer.text("event_id");
    if event.is_empty() || event.len() > 255 || event.chars().any(char::is_control) {
        return Outcome::taken(NoticeState::UnknownNoReceipt, code);
    }
    Outcome::Taken { state: NoticeState::Accepted, code, provider_id: Some(event.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_its_meaning() {
        check(200, r#"{"event_id":"$a1"}"#, "accepted $a1");
        check(200, "{}", "unknown_no_receipt");
        check(429, r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2001}"#, "matrix_rate_limited in 3");
        check(429, "", "matrix_rate_limited");
        check(401, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#, "matrix_logged_out");
        check(401, r#"{"flows":[{"stages":["m.login.recaptcha"]}]}"#, "matrix_captcha");
        check(403, r#"{"errcode":"M_CAPTCHA_NEEDED"}"#, "matrix_captcha");
        check(403, r#"{"errcode":"M_FORBIDDEN"}"#, "refused matrix_forbidden");
        check(404, r#"{"errcode":"M_NOT_FOUND"}"#, "refused matrix_unknown_room");
        check(400, r#"{"errcode":"M_BAD_JSON"}"#, "refused http_400");
        check(503, "", "http_503");
    }

    fn check(status: u16, body: &str, expected: &str) {
        let status = reqwest::StatusCode::from_u16(status).unwrap();
        let body = serde_json::from_str(body).unwrap_or_default();
        let shown = match judge(&Answer { status, retry_after_seconds: None, body }).outcome {
            Outcome::Taken { state, provider_id: Some(id), .. } => format!("{state} {id}"),
            Outcome::Taken { state, .. } => state.to_string(),
            Outcome::Temporary { code, retry_after_seconds: Some(seconds), .. } => format!("{code} in {seconds}"),
            Outcome::Temporary { code, .. } => code,
            Outcome::Refused { code, .. } => format!("refused {code}"),
            other => format!("{other:?}"),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn room_and_transaction_stay_one_segment_each() {
        let config = MatrixConfig {
            url: "https://matrix.example/base/".to_owned(),
            access_token: Some(tocsin_platform::config::Secret::new("token")),
            access_token_file: None,
            in_flight_max: 1,
            answer_seconds: 1,
        };
        let message = ChatMessage { to: "!a/../b?c#d:matrix.example", text: "x", id: "n1" };
        let request = request(&Client::new(), &config, &message).unwrap().build().unwrap();
        let expected = "https://matrix.example/base/_matrix/client/v3/rooms/!a%2F..%2Fb%3Fc%23d:matrix.example/send/\
                        m.room.message/n1";
        assert_eq!(request.url().as_str(), expected);
    }
}

//! Africa's Talking: a form to `/version1/messaging`, and forms back that are not signed.

use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use tocsin_domain::notice::NoticeState;

use super::Outcome;
use super::callback::{Callback, Incoming, Told};
use super::sms::SmsMessage;
use crate::config::GatewayConfig;
use crate::sms::MessageId;

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "SMSMessageData")]
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "Recipients", default)]
    recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
struct Recipient {
    #[serde(rename = "statusCode")]
    status_code: u32,
    #[serde(rename = "messageId", default)]
    message_id: String,
}

/// Its receipts go to the one address that is set at the gateway; a message cannot carry its own.
pub(super) fn request(client: &Client, gateway: &GatewayConfig, message: &SmsMessage<'_>) -> Option<RequestBuilder> {
    let username = gateway.username.as_deref()?;
    let mut form = vec![("username", username), ("to", message.to), ("message", message.text), ("bulkSMSMode", "1")];
    if let Some(from) = &gateway.from {
        form.push(("from", from));
    }
    let request = client.post(&gateway.url).header("apiKey", gateway.password.as_ref()?.expose());
    Some(request.header(reqwest::header::ACCEPT, "application/json").form(&form))
}

/// 100 processed, 101 sent, 102 queued; 403, 404, 406 and 409 are about the number; 405 and 5xx pass.
pub(super) fn judge(status: StatusCode, answer: &str) -> Outcome {
    let http = format!("http_{}", status.as_u16());
    match status.as_u16() {
        200..=299 => {}
        408 | 425 | 429 | 500..=599 => return Outcome::temporary(http),
        _ => return Outcome::Refused { code: http, tries: 3 },
    }
    let Ok(answer) = serde_json::from_str::<Answer>(answer) else {
        return Outcome::taken(NoticeState::HandedToGateway, http);
    };
    let Some(recipient) = answer.data.recipients.first() else {
        // It took the request and sent to nobody: a wrong sender's name, for instance.
        return Outcome::Refused { code: "no_recipient".to_owned(), tries: 3 };
    };
    let code = format!("africas_talking_{}", recipient.status_code);
    match (recipient.status_code, MessageId::parse(&recipient.message_id)) {
        (100..=102, Some(id)) => {
            Outcome::Taken { state: NoticeState::Accepted, code, provider_id: Some(id.to_string()) }
        }
        (100..=102, None) => Outcome::taken(NoticeState::HandedToGateway, code),
        (403 | 404 | 406 | 409, _) => Outcome::Refused { code, tries: 1 },
        (405 | 500..=502, _) => Outcome::temporary(code),
        _ => Outcome::Refused { code, tries: 3 },
    }
}

/// A delivery report.
pub(super) fn told(call: &Callback<'_>) -> Option<Told> {
    let state = match call.form("status")? {
        "Sent" => NoticeState::HandedToGateway,
        "Submitted" | "Buffered" => NoticeState::Accepted,
        "Success" => NoticeState::Delivered,
        "Rejected" | "Failed" | "AbsentSubscriber" | "Expired" => NoticeState::RejectedPermanent,
        _ => return None,
    };
    Some(Told { message_id: Some(MessageId::parse(call.form("id")?)?), state })
}

pub(super) fn incoming(call: &Callback<'_>) -> Option<Incoming> {
    Some(Incoming::new(call.form("from")?, call.form("text")?, call.form("id")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let one = |code: u32, id: &str| {
            format!(
                r#"{{"SMSMessageData":{{"Message":"Sent","Recipients":[{{"statusCode":{code},"number":"+447700900001","messageId":"{id}","cost":"KES 0.8"}}]}}}}"#
            )
        };
        check(201, &one(101, "ATXid_0a"), "accepted");
        check(201, &one(102, "None"), "handed_to_gateway");
        check(201, &one(403, ""), "refused africas_talking_403 1");
        check(201, &one(406, ""), "refused africas_talking_406 1");
        check(201, &one(402, ""), "refused africas_talking_402 3");
        check(201, &one(405, ""), "later africas_talking_405");
        check(201, &one(501, ""), "later africas_talking_501");
        check(201, r#"{"SMSMessageData":{"Message":"InvalidSenderId","Recipients":[]}}"#, "refused no_recipient 3");
        check(200, "Sent", "handed_to_gateway");
        check(401, "The supplied authentication is invalid", "refused http_401 3");
        check(503, "", "later http_503");
    }

    fn check(status: u16, answer: &str, expected: &str) {
        let shown = match judge(StatusCode::from_u16(status).unwrap(), answer) {
            Outcome::Taken { state, .. } => state.to_string(),
            Outcome::Temporary { code, .. } => format!("later {code}"),
            Outcome::Refused { code, tries } => format!("refused {code} {tries}"),
            _ => "other".to_owned(),
        };
        assert_eq!(shown, expected, "{status} {answer}");
    }
}

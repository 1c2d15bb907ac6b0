//! Kannel's `sendsms` door and its delivery receipts.

use reqwest::StatusCode;
use tocsin_domain::notice::NoticeState;
use url::Url;

use super::Outcome;
use super::sms::SmsMessage;
use crate::config::GatewayConfig;

/// Which receipts we ask for: delivered, failed, buffered, accepted and rejected by the carrier.
const RECEIPT_MASK: &str = "31";

/// The request's address.
pub(super) fn request_url(gateway: &GatewayConfig, message: &SmsMessage<'_>) -> Option<Url> {
    let mut url = Url::parse(&gateway.url).ok()?;
    let password = gateway.password.as_ref().map(|password| password.expose().to_owned()).unwrap_or_default();
    let mut query = url.query_pairs_mut();
    query
        .append_pair("username", gateway.username.as_deref().unwrap_or_default())
        .append_pair("password", &password)
        .append_pair("to", message.to)
        .append_pair("text", message.text)
        .append_pair("charset", "UTF-8")
        .append_pair("coding", if message.text.is_ascii() { "0" } else { "2" })
        .append_pair("dlr-mask", RECEIPT_MASK)
        .append_pair("dlr-url", message.receipt_url);
    drop(query);
    Some(url)
}

/// What Kannel's answer means. 202 with `0:` is accepted and with `3:` queued for later; another 2xx says nothing that we
/// know, and is not sent again blindly.
pub(super) fn judge(status: StatusCode, answer: &str) -> Outcome {
    let code = format!("http_{}", status.as_u16());
    let number = answer.split(':').next().unwrap_or_default().trim();
    match (status.as_u16(), number) {
        (202, "0") => Outcome::taken(NoticeState::Accepted, "kannel_0"),
        (202, "3") => Outcome::taken(NoticeState::HandedToGateway, "kannel_3"),
        (200..=299, _) => Outcome::taken(NoticeState::UnknownNoReceipt, code),
        (429 | 500..=599, _) => Outcome::temporary(code),
        _ => Outcome::Refused { code, tries: 3 },
    }
}

/// The state that a receipt of this type tells: 1 delivered, 2 failed, 4 buffered, 8 accepted, 16 rejected.
pub(crate) fn state_of(kind: u32) -> Option<NoticeState> {
    match kind {
        1 => Some(NoticeState::Delivered),
        2 | 16 => Some(NoticeState::RejectedPermanent),
        4 => Some(NoticeState::HandedToGateway),
        8 => Some(NoticeState::Accepted),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_answer_counts_as_accepted() {
        check(202, "0: Accepted for delivery", "accepted");
        check(202, "3: Queued for later delivery", "handed_to_gateway");
        check(200, "Sent.", "unknown_no_receipt");
        check(202, "", "unknown_no_receipt");
        check(503, "", "later");
        check(403, "Authorization failed for sendsms", "refused");
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

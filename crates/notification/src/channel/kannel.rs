//! Kannel's `sendsms` door, its delivery receipts, and what its `sms-service` hands on.

use reqwest::StatusCode;
use tocsin_domain::notice::NoticeState;
use url::Url;

use super::Outcome;
use super::callback::{Callback, Incoming, Told};
use super::sms::SmsMessage;
use crate::config::GatewayConfig;
use crate::render::segments::segments;

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
        .append_pair("coding", if segments(message.text).gsm7 { "0" } else { "2" });
    if let Some(from) = &gateway.from {
        query.append_pair("from", from);
    }
    if !message.receipt_url.is_empty() {
        query.append_pair("dlr-mask", RECEIPT_MASK).append_pair("dlr-url", message.receipt_url);
    }
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
        (200..=299, _) => Outcome::taken(NoticeState::HandedToGateway, code),
        (429 | 500..=599, _) => Outcome::temporary(code),
        _ => Outcome::Refused { code, tries: 3 },
    }
}

/// The receipt: 1 delivered, 2 failed, 4 buffered, 8 accepted, 16 rejected.
pub(super) fn told(call: &Callback<'_>) -> Option<Told> {
    let state = match call.query("type")? {
        "1" => NoticeState::Delivered,
        "2" | "16" => NoticeState::RejectedPermanent,
        "4" => NoticeState::HandedToGateway,
        "8" => NoticeState::Accepted,
        _ => return None,
    };
    Some(Told { message_id: None, state })
}

/// What an `sms-service` hands on as `?from=%p&text=%a&id=%I&charset=%C`. A text that GSM-7 does not have comes as UTF-16.
pub(super) fn incoming(call: &Callback<'_>) -> Option<Incoming> {
    let wide = call.query("charset").is_some_and(|charset| charset.eq_ignore_ascii_case("UTF-16BE"));
    let text = if wide { utf16_value(&call.raw_query, "text")? } else { call.query("text")?.to_owned() };
    Some(Incoming::new(call.query("from")?, &text, call.query("id")))
}

/// The value of a parameter whose bytes are UTF-16 in network order.
fn utf16_value(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    let units = bytes.chunks_exact(2).map(|pair| pair.iter().fold(0_u16, |unit, byte| unit << 8 | u16::from(*byte)));
    Some(String::from_utf16_lossy(&units.collect::<Vec<u16>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_answer_counts_as_accepted() {
        check(202, "0: Accepted for delivery", "accepted");
        check(202, "3: Queued for later delivery", "handed_to_gateway");
        check(200, "Sent.", "handed_to_gateway");
        check(202, "", "handed_to_gateway");
        check(503, "", "later");
        check(403, "Authorization failed for sendsms", "refused");
    }

    #[test]
    fn wide_texts_are_read() {
        assert_eq!(utf16_value("from=1&text=%06E%06H%00+%00A", "text").as_deref(), Some("مو A"));
        assert_eq!(utf16_value("from=1&text=%06%45%06%48%00+%00A&id=2", "text").as_deref(), Some("مو A"));
        assert_eq!(utf16_value("text=%D8%3D%DE%00", "text").as_deref(), Some("😀"));
        assert_eq!(utf16_value("text=%0", "text"), None);
        assert_eq!(utf16_value("id=1", "text"), None);
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

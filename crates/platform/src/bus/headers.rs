//! An event as a NATS message: `CloudEvents` 1.0 in binary mode, every attribute a percent-encoded `ce-` header.

use std::borrow::Cow;
use std::fmt::Write;

use async_nats::HeaderMap;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::{self, Lane};

use super::envelope::Envelope;

/// Copies with the same value within the duplicate window are one message to the broker.
const MESSAGE_ID: &str = "Nats-Msg-Id";
const TRACEPARENT: &str = "traceparent";
const TYPE_PREFIX: &str = "tocsin.v1.";
/// Longer texts are no attribute of ours.
const ATTRIBUTE_BYTES_MAX: usize = 512;

/// Why a message is not one of our events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("the header {name} is missing")]
    Missing { name: &'static str },
    #[error("the header {name} does not hold what it should")]
    Malformed { name: &'static str },
    #[error("the catalogue does not know this type of event")]
    UnknownKind,
}

/// The headers of one publication.
pub(crate) fn encode(envelope: &Envelope, generation: i64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut attribute = |name: &'static str, value: &str| headers.insert(name, percent_encode(value).as_ref());
    attribute("ce-specversion", "1.0");
    attribute("ce-id", &envelope.id.to_string());
    attribute("ce-source", &format!("urn:tocsin:{}", envelope.kind.producer));
    attribute("ce-type", &envelope.kind.cloud_events_type());
    attribute("ce-subject", &envelope.aggregate);
    attribute("ce-time", &envelope.at.to_rfc3339_opts(SecondsFormat::Millis, true));
    attribute("ce-datacontenttype", "application/protobuf");
    attribute("ce-lane", envelope.lane.as_str());
    attribute("ce-aggregateversion", &envelope.version.to_string());
    headers.insert(MESSAGE_ID, format!("{}.{generation}", envelope.id));
    if let Some(traceparent) = &envelope.traceparent {
        headers.insert(TRACEPARENT, percent_encode(traceparent).as_ref());
    }
    headers
}

/// Reads an event back.
pub(crate) fn decode(headers: &HeaderMap, payload: Bytes) -> Result<Envelope, HeaderError> {
    let kind = attribute(headers, "ce-type")?;
    let kind = kind.strip_prefix(TYPE_PREFIX).and_then(catalogue::kind_named).ok_or(HeaderError::UnknownKind)?;
    let at = attribute(headers, "ce-time")?;
    let at = DateTime::parse_from_rfc3339(&at).map_err(|_| HeaderError::Malformed { name: "ce-time" })?;
    Ok(Envelope {
        id: parsed::<EventId>(headers, "ce-id")?,
        kind,
        lane: parsed::<Lane>(headers, "ce-lane")?,
        aggregate: attribute(headers, "ce-subject")?,
        version: parsed::<i64>(headers, "ce-aggregateversion")?,
        at: at.with_timezone(&Utc),
        payload,
        traceparent: attribute(headers, TRACEPARENT).ok(),
    })
}

fn parsed<T: std::str::FromStr>(headers: &HeaderMap, name: &'static str) -> Result<T, HeaderError> {
    attribute(headers, name)?.parse().map_err(|_| HeaderError::Malformed { name })
}

fn attribute(headers: &HeaderMap, name: &'static str) -> Result<String, HeaderError> {
    let value = headers.get(name).ok_or(HeaderError::Missing { name })?;
    percent_decode(value.as_str()).ok_or(HeaderError::Malformed { name })
}

/// As the HTTP binding says: space, double quote, percent and everything outside the printable ASCII range.
fn percent_encode(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'%';
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Cow::Owned(encoded)
}

fn percent_decode(text: &str) -> Option<String> {
    if text.len() > ATTRIBUTE_BYTES_MAX * 3 {
        return None;
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok().filter(|decoded| decoded.len() <= ATTRIBUTE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope(aggregate: &str) -> Envelope {
        let at = DateTime::from_timestamp_millis(1_496_923_200_123).unwrap();
        Envelope {
            id: EventId::new(at),
            kind: &catalogue::REPORT_RECEIVED,
            lane: Lane::Urgent,
            aggregate: aggregate.to_owned(),
            version: -7,
            at,
            payload: Bytes::from_static(b"\x00\xff"),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        }
    }

    #[test]
    fn an_event_survives_its_headers() {
        let sent = envelope("a b\"c%d é\r\n\u{1f514}");
        let headers = encode(&sent, 3);
        let subject = headers.get("ce-subject").unwrap().as_str();
        assert_eq!(subject, "a%20b%22c%25d%20%C3%A9%0D%0A%F0%9F%94%94");
        assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), format!("{}.3", sent.id));
        assert_eq!(decode(&headers, sent.payload.clone()), Ok(sent));
    }

    #[test]
    fn a_strange_message_is_named_for_what_is_wrong() {
        let check = |name: &'static str, value: &str, error: HeaderError| {
            let mut headers = encode(&envelope("x"), 0);
            headers.insert(name, value);
            assert_eq!(decode(&headers, Bytes::new()), Err(error));
        };
        check("ce-type", "tocsin.v1.cat.fed", HeaderError::UnknownKind);
        check("ce-id", "17", HeaderError::Malformed { name: "ce-id" });
        check("ce-lane", "slow", HeaderError::Malformed { name: "ce-lane" });
        check("ce-time", "yesterday", HeaderError::Malformed { name: "ce-time" });
        check("ce-subject", "%F", HeaderError::Malformed { name: "ce-subject" });
        check("ce-subject", "%FF", HeaderError::Malformed { name: "ce-subject" });
        check("ce-subject", &"x".repeat(513), HeaderError::Malformed { name: "ce-subject" });
        assert_eq!(decode(&HeaderMap::new(), Bytes::new()), Err(HeaderError::Missing { name: "ce-type" }));
    }

    proptest! {
        #[test]
        fn any_text_survives(text in "\\PC{0,60}") {
            let encoded = percent_encode(&text).into_owned();
            prop_assert!(encoded.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));
            prop_assert_eq!(percent_decode(&encoded), Some(text));
        }
    }
}

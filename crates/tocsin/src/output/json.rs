//! The JSON form of any message of ours, made from its description: `snake_case` names as in the protos, times as
//! RFC 3339, bytes as hexadecimal, and every field there, `null` when it is not set.

use std::sync::OnceLock;

use chrono::{DateTime, SecondsFormat};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MapKey, ReflectMessage as _, Value as Wire};
use serde_json::{Map, Value};

/// A message that cannot be described: the program and its protos do not belong together.
#[derive(Debug, thiserror::Error)]
#[error("the message {name} cannot be written as JSON; this program was built wrongly")]
pub(crate) struct JsonError {
    name: &'static str,
}

/// The JSON form of a message, whose full name is given, as `tocsin.triage.v1.GetCaseResponse`.
pub(crate) fn document<M: Message>(name: &'static str, message: &M) -> Result<Value, JsonError> {
    let descriptor = pool().and_then(|pool| pool.get_message_by_name(name)).ok_or(JsonError { name })?;
    let read =
        DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).map_err(|_| JsonError { name })?;
    Ok(object(&read))
}

fn pool() -> Option<&'static DescriptorPool> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(tocsin_proto::FILE_DESCRIPTOR_SET).ok()).as_ref()
}

fn object(message: &DynamicMessage) -> Value {
    let descriptor = message.descriptor();
    if descriptor.full_name() == "google.protobuf.Timestamp" {
        return timestamp(message);
    }
    let fields = descriptor.fields().map(|field| (field.name().to_owned(), value_of(message, &field)));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn value_of(message: &DynamicMessage, field: &FieldDescriptor) -> Value {
    if field.supports_presence() && !message.has_field(field) {
        return Value::Null;
    }
    value(&message.get_field(field))
}

fn value(wire: &Wire) -> Value {
    match wire {
        Wire::Bool(flag) => Value::from(*flag),
        Wire::I32(number) | Wire::EnumNumber(number) => Value::from(*number),
        Wire::I64(number) => Value::from(*number),
        Wire::U32(number) => Value::from(*number),
        Wire::U64(number) => Value::from(*number),
        Wire::F32(number) => Value::from(*number),
        Wire::F64(number) => Value::from(*number),
        Wire::String(text) => Value::from(text.as_str()),
        Wire::Bytes(bytes) => Value::from(hex::encode(bytes)),
        Wire::Message(message) => object(message),
        Wire::List(items) => items.iter().map(value).collect(),
        Wire::Map(entries) => Value::Object(entries.iter().map(|(key, entry)| (key_text(key), value(entry))).collect()),
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(flag) => flag.to_string(),
        MapKey::I32(number) => number.to_string(),
        MapKey::I64(number) => number.to_string(),
        MapKey::U32(number) => number.to_string(),
        MapKey::U64(number) => number.to_string(),
        MapKey::String(text) => text.clone(),
    }
}

fn timestamp(message: &DynamicMessage) -> Value {
    let part =
        |name: &str| message.get_field_by_name(name).and_then(|value| value.as_i64().or(value.as_i32().map(i64::from)));
    let moment = part("seconds").and_then(|seconds| {
        let nanos = u32::try_from(part("nanos").unwrap_or_default()).ok()?;
        DateTime::from_timestamp(seconds, nanos)
    });
    moment.map_or(Value::Null, |moment| Value::from(moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)))
}

#[cfg(test)]
mod tests {
    use tocsin_proto::triage::v1::{CaseSummary, Draft, ListCasesResponse};

    use super::*;

    #[test]
    fn every_field_is_there_and_times_are_text() {
        let received = prost_types::Timestamp { seconds: 1_783_266_000, nanos: 120_000_000 };
        let summary = CaseSummary { case_id: "c".into(), received_at: Some(received), ..CaseSummary::default() };
        let message = ListCasesResponse { cases: vec![summary], next_page_token: String::new() };
        let json = document("tocsin.triage.v1.ListCasesResponse", &message).unwrap();
        assert_eq!(json["cases"][0]["received_at"], "2026-07-05T15:40:00.120Z");
        assert_eq!(json["cases"][0]["assessed"], false);
        assert_eq!(json["cases"][0]["coordinator"], Value::Null);
        assert_eq!(json["next_page_token"], "");
    }

    #[test]
    fn an_optional_number_is_null_when_it_is_not_set() {
        let json = |hours| {
            let draft = Draft { sign_on_hours: hours, ..Draft::default() };
            document("tocsin.triage.v1.Draft", &draft).unwrap()["sign_on_hours"].clone()
        };
        assert_eq!((json(None), json(Some(0))), (Value::Null, Value::from(0)));
    }
}

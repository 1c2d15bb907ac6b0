//! JSON read strictly: bytes that are no JSON, too deep, or name a field twice are refused with a sentence.
//!
//! A field given twice is refused because keeping one of the two would silently lose the other.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use tocsin_platform::failure::Failure;

use super::shown;

/// Parses a body. Nesting ends at 128 levels, the limit of the parser.
pub(super) fn parse(body: &[u8]) -> Result<Value, Failure> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let position = error.valid_up_to() + 1;
        Failure::invalid("BODY_NOT_UTF8", format!("the body must be UTF-8; byte {position} of it is not"))
    })?;
    if text.trim().is_empty() {
        return Err(Failure::invalid("BODY_NOT_JSON", "the body is empty; send a JSON object"));
    }
    serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        let told = error.to_string();
        let why = told.split(" at line ").next().unwrap_or("it does not parse");
        if why.starts_with("recursion limit") {
            return Failure::invalid(
                "BODY_TOO_DEEP",
                format!("the body is nested too deep: at most 128 levels ({place})"),
            );
        }
        Failure::invalid("BODY_NOT_JSON", format!("the body is not JSON that can be read: {why} ({place})"))
    })
}

/// A value none of whose objects names a field twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("the field `{}` is there twice", shown(&name))));
            }
            let Strict(value) = entries.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        check(b"", "BODY_NOT_JSON", "the body is empty; send a JSON object");
        check(b"\xff{}", "BODY_NOT_UTF8", "the body must be UTF-8; byte 1 of it is not");
        check(
            b"{\"a\": }",
            "BODY_NOT_JSON",
            "the body is not JSON that can be read: expected value (line 1, column 7)",
        );
        check(
            b"{\"a\": {\"b\": 1, \"b\": 2}}",
            "BODY_NOT_JSON",
            "the body is not JSON that can be read: the field `b` is there twice (line 1, column 18)",
        );
        check(
            "[".repeat(200).as_bytes(),
            "BODY_TOO_DEEP",
            "the body is nested too deep: at most 128 levels (line 1, column 128)",
        );
    }

    #[test]
    fn every_kind_of_value_survives() {
        let text = r#"{"a":[null,true,-1,2,0.5,"x\n"],"b":{}}"#;
        assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    fn check(body: &[u8], reason: &str, message: &str) {
        let failure = parse(body).unwrap_err();
        assert_eq!((failure.reason, failure.message.as_str()), (reason, message));
    }
}

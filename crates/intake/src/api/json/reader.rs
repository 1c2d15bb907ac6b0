//! Reads JSON values into wire fields and notes everything that is wrong, instead of stopping at the first fault.
//!
//! `null` and a field that is left out mean the same. The notes name fields by path (`safe_contact.hours`, `kinds[1]`)
//! and never repeat their content.

use serde_json::{Map, Value};
use tocsin_platform::failure::FieldViolation;

use super::shown;

/// No more faults than this are noted; a hostile body could make thousands.
const VIOLATIONS_MAX: usize = 64;

/// The faults found so far.
#[derive(Default)]
pub(super) struct Reader {
    violations: Vec<FieldViolation>,
}

/// One object of the body and where it stands.
pub(super) struct Object<'a> {
    path: String,
    fields: Option<&'a Map<String, Value>>,
}

impl Object<'_> {
    /// Whether the object was there at all.
    pub(super) fn is_present(&self) -> bool {
        self.fields.is_some()
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

impl Reader {
    /// The faults, in the order in which they were found.
    pub(super) fn into_violations(self) -> Vec<FieldViolation> {
        self.violations
    }

    /// The body itself as an object whose fields are `known`.
    pub(super) fn body<'a>(&mut self, value: &'a Value, known: &[&str]) -> Object<'a> {
        if value.is_null() {
            self.note("body", "must be an object, not null");
        }
        self.object_at(String::new(), Some(value), known)
    }

    /// A field that is an object whose own fields are `known`.
    pub(super) fn object<'a>(&mut self, parent: &Object<'a>, name: &str, known: &[&str]) -> Object<'a> {
        self.object_at(parent.path_of(name), field(parent, name), known)
    }

    /// A field that is a list of objects.
    pub(super) fn objects<'a>(&mut self, parent: &Object<'a>, name: &str, known: &[&str]) -> Vec<Object<'a>> {
        let path = parent.path_of(name);
        let values = self.list(&path, field(parent, name));
        values
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let path = format!("{path}[{index}]");
                if value.is_null() {
                    self.note(&path, "must be an object, not null");
                }
                self.object_at(path, Some(value), known)
            })
            .collect()
    }

    /// A field that is text; empty when it is not there.
    pub(super) fn text(&mut self, parent: &Object<'_>, name: &str) -> String {
        match field(parent, name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => {
                self.note(&parent.path_of(name), format!("must be text, not {}", kind_of(other)));
                String::new()
            }
        }
    }

    /// A field that is a list of texts; empty when it is not there. A wrong entry becomes empty text, so that the
    /// others keep their places.
    pub(super) fn texts(&mut self, parent: &Object<'_>, name: &str) -> Vec<String> {
        let path = parent.path_of(name);
        let values = self.list(&path, field(parent, name));
        values
            .iter()
            .enumerate()
            .map(|(index, value)| match value {
                Value::String(text) => text.clone(),
                other => {
                    self.note(&format!("{path}[{index}]"), format!("must be text, not {}", kind_of(other)));
                    String::new()
                }
            })
            .collect()
    }

    /// A field that is a whole number from 1 to 4,294,967,295; 0 when it is not there.
    pub(super) fn count(&mut self, parent: &Object<'_>, name: &str) -> u32 {
        match field(parent, name) {
            None | Some(Value::Null) => 0,
            Some(Value::Number(number)) => match number.as_u64().map(u32::try_from) {
                Some(Ok(count)) if count > 0 => count,
                _ => {
                    self.note(&parent.path_of(name), "must be a whole number from 1 to 4294967295");
                    0
                }
            },
            Some(other) => {
                self.note(&parent.path_of(name), format!("must be a whole number, not {}", kind_of(other)));
                0
            }
        }
    }

    fn list<'a>(&mut self, path: &str, value: Option<&'a Value>) -> &'a [Value] {
        match value {
            None | Some(Value::Null) => &[],
            Some(Value::Array(values)) => values,
            Some(other) => {
                self.note(path, format!("must be a list, not {}", kind_of(other)));
                &[]
            }
        }
    }

    fn object_at<'a>(&mut self, path: String, value: Option<&'a Value>, known: &[&str]) -> Object<'a> {
        let fields = match value {
            None | Some(Value::Null) => None,
            Some(Value::Object(fields)) => Some(fields),
            Some(other) => {
                let named = if path.is_empty() { "body" } else { path.as_str() };
                self.note(named, format!("must be an object, not {}", kind_of(other)));
                None
            }
        };
        let object = Object { path, fields };
        for name in fields.into_iter().flat_map(Map::keys) {
            if !known.contains(&name.as_str()) {
                let near = nearest(name, known);
                self.note(
                    &object.path_of(&shown(name)),
                    format!("is not a known field; the nearest known is `{near}`"),
                );
            }
        }
        object
    }

    fn note(&mut self, path: &str, description: impl Into<String>) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(FieldViolation { field: path.to_owned(), description: description.into() });
        }
    }
}

fn field<'a>(object: &Object<'a>, name: &str) -> Option<&'a Value> {
    object.fields.and_then(|fields| fields.get(name))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn nearest<'a>(given: &str, known: &[&'a str]) -> &'a str {
    let given: String = given.chars().take(60).collect();
    known
        .iter()
        .copied()
        .max_by(|left, right| strsim::jaro_winkler(left, &given).total_cmp(&strsim::jaro_winkler(right, &given)))
        .unwrap_or_default()
}

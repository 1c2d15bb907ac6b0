//! Which keys of a JSON document its reader did not keep: compares what was given with what the reader writes back.

use serde_json::Value;

/// The paths of keys that stand in `given` and not in `kept`.
pub(super) fn keys(given: &Value, kept: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(given, kept, "", &mut found);
    found
}

fn compare(given: &Value, kept: &Value, path: &str, found: &mut Vec<String>) {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (key, value) in given {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match kept.get(key) {
                    Some(kept) => compare(value, kept, &below, found),
                    None => found.push(below),
                }
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            for (index, (given, kept)) in given.iter().zip(kept).enumerate() {
                compare(given, kept, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

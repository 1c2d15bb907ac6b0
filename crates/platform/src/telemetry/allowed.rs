//! The fields that may be written, and their values in a form that stays on one line.

use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};

/// Every field that a log line or a span may carry; sorted. Ids, codes and numbers only.
pub const ALLOWED_FIELDS: &[&str] = &[
    "actor_id",
    "address",
    "alert_id",
    "attempt",
    "batch",
    "bus",
    "case_id",
    "channel",
    "code",
    "consumer",
    "count",
    "database",
    "elapsed_ms",
    "error_kind",
    "event",
    "event_id",
    "gateway",
    "key",
    "lane",
    "limit",
    "method",
    "notice_id",
    "outcome",
    "path",
    "peer",
    "priority",
    "producer",
    "reason",
    "report_id",
    "request_id",
    "revision",
    "service",
    "state",
    "status",
    "task",
    "version",
];

/// The longest value, in characters.
const VALUE_CHARACTERS_MAX: usize = 512;

/// Whether a field may be written.
pub(super) fn is_allowed(field: &str) -> bool {
    ALLOWED_FIELDS.binary_search(&field).is_ok()
}

/// What a line says: its message and the allowed fields, in the order given.
#[derive(Debug, Default, Clone)]
pub(super) struct Said {
    pub(super) message: Option<String>,
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Said {
    fn put(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        let name = field.name();
        if is_allowed(name) {
            // A span may record a field again: the last value counts.
            self.fields.retain(|(known, _)| *known != name);
            self.fields.push((name, value()));
        }
    }

    fn put_text(&mut self, field: &Field, text: impl FnOnce() -> String) {
        if field.name() == "message" {
            self.message = Some(short(&text()));
        } else {
            self.put(field, || Value::from(short(&text())));
        }
    }
}

/// Cuts long values and takes out what could forge a second line.
fn short(text: &str) -> String {
    text.chars()
        .take(VALUE_CHARACTERS_MAX)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect()
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, || format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, || value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, || Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, || Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, || Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, || Value::from(value));
    }
}

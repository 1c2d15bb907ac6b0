//! One field that breaks a rule, so that whoever sent it learns of every fault at once.

use crate::text::TextError;

/// A field and what is wrong with it. It never repeats the field's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {description}")]
pub struct FieldViolation {
    /// The path of the field, such as `safe_contact.hours` or `kinds[3]`.
    pub field: String,
    /// What is wrong and what to do.
    pub description: String,
}

impl FieldViolation {
    /// Names a field and its fault.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: description.into() }
    }
}

/// Notes a violation if a text holds a forbidden character or too many characters.
pub(crate) fn check_text(
    field: &str,
    text: &str,
    chars_max: usize,
    rule: impl Fn(&str) -> Result<&str, TextError>,
    violations: &mut Vec<FieldViolation>,
) {
    if let Err(error) = rule(text) {
        violations.push(FieldViolation::new(field, error.to_string()));
    }
    if text.chars().count() > chars_max {
        violations.push(FieldViolation::new(field, format!("at most {chars_max} characters are allowed")));
    }
}

/// Notes a violation if a list holds too many entries.
pub(crate) fn check_list<T>(field: &str, list: &[T], entries_max: usize, violations: &mut Vec<FieldViolation>) {
    if list.len() > entries_max {
        violations.push(FieldViolation::new(field, format!("at most {entries_max} entries are allowed")));
    }
}

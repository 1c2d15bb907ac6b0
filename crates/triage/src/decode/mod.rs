//! From wire to domain: every field that is wrong is named at once, and none is quoted beyond an unknown code.

pub(crate) mod assessment;
pub(crate) mod consent;
pub(crate) mod draft;
pub(crate) mod key;
pub(crate) mod source;

use std::fmt::Display;
use std::str::FromStr;

use tocsin_domain::text::{multi_line, single_line};
use tocsin_domain::violation::FieldViolation;
use tocsin_platform::failure::{self, Failure};

/// The most characters that a reason or an answer may have.
pub(crate) const TEXT_CHARS_MAX: usize = 20_000;

/// Collects what is wrong with the fields of one request.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    violations: Vec<FieldViolation>,
}

impl Fields {
    /// Notes a fault.
    pub(crate) fn fault(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.violations.push(FieldViolation::new(field, description));
    }

    /// Takes faults that the domain found.
    pub(crate) fn faults(&mut self, prefix: &str, violations: Vec<FieldViolation>) {
        for violation in violations {
            self.fault(format!("{prefix}{}", violation.field), violation.description);
        }
    }

    /// Parses a field that must be there.
    pub(crate) fn parse<T>(&mut self, field: impl Into<String>, text: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        text.parse().map_err(|error: T::Err| self.fault(field, error.to_string())).ok()
    }

    /// Parses a field that may be empty.
    pub(crate) fn parse_optional<T>(&mut self, field: &str, text: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        if text.is_empty() { None } else { self.parse(field, text) }
    }

    /// Parses each entry of a list; an entry that is given twice is a fault.
    pub(crate) fn parse_list<T>(&mut self, field: &str, texts: &[String]) -> Vec<T>
    where
        T: FromStr + PartialEq,
        T::Err: Display,
    {
        let mut list: Vec<T> = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let place = format!("{field}[{index}]");
            if let Some(entry) = self.parse(place.clone(), text) {
                if list.contains(&entry) {
                    self.fault(place, "is given twice");
                } else {
                    list.push(entry);
                }
            }
        }
        list
    }

    /// Checks a text of several lines that must not be empty.
    pub(crate) fn text(&mut self, field: &str, text: &str) {
        if text.trim().is_empty() {
            self.fault(field, "a few words are needed");
        }
        self.optional_text(field, text);
    }

    /// Checks a text of several lines.
    pub(crate) fn optional_text(&mut self, field: &str, text: &str) {
        if let Err(error) = multi_line(text) {
            self.fault(field, error.to_string());
        }
        if text.chars().count() > TEXT_CHARS_MAX {
            self.fault(field, format!("at most {TEXT_CHARS_MAX} characters are allowed"));
        }
    }

    /// Checks a text of one line, 1 to 200 characters.
    pub(crate) fn line(&mut self, field: &str, text: &str) {
        if text.trim().is_empty() || text.chars().count() > 200 {
            self.fault(field, "must have 1 to 200 characters");
        }
        if let Err(error) = single_line(text) {
            self.fault(field, error.to_string());
        }
    }

    /// The decoded request, or every fault.
    pub(crate) fn finish<T>(self, reason: &'static str, decoded: Option<T>) -> Result<T, Failure> {
        match decoded {
            Some(decoded) if self.violations.is_empty() => Ok(decoded),
            _ => {
                let fields = self
                    .violations
                    .into_iter()
                    .map(|violation| failure::FieldViolation {
                        field: violation.field,
                        description: violation.description,
                    })
                    .collect::<Vec<_>>();
                let message = match fields.len() {
                    1 => "one field is wrong; correct it and send the request again".to_owned(),
                    count => format!("{count} fields are wrong; correct them and send the request again"),
                };
                Err(Failure::invalid(reason, message).fields(fields))
            }
        }
    }
}

/// A message that must be there.
pub(crate) fn present<T>(field: &'static str, message: Option<T>) -> Result<T, Failure> {
    message.ok_or_else(|| Failure::invalid("FIELD_MISSING", format!("`{field}` is needed")).field(field, "is needed"))
}

/// The field `case` of a request.
pub(crate) fn case_name(text: &str) -> Result<&str, Failure> {
    if text.trim().is_empty() {
        let says = "a case id, a report id or a reference is needed";
        return Err(Failure::invalid("CASE_MISSING", says).field("case", says));
    }
    Ok(text.trim())
}

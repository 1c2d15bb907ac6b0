//! Errors of settings: the key, what was expected, where the value came from; never the value.

use std::path::PathBuf;

use figment::error::{Actual, Kind};
use figment::{Error, Figment, Metadata, Source};

use super::environment::PREFIX;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read")]
    File {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{origin} is not valid TOML: {problem}")]
    Syntax {
        /// Where.
        origin: String,
        /// What the parser said, without the line itself.
        problem: String,
    },
    /// A value has the wrong type or form.
    #[error("`{key}` in {origin}: {problem}")]
    Invalid {
        /// The key, as `services.intake.http`.
        key: String,
        /// What is wrong and what was expected.
        problem: String,
        /// Where the value came from.
        origin: String,
    },
    /// A key that nobody reads.
    #[error("`{key}` in {origin} is not a setting{}", nearest.as_ref().map(|key| format!("; did you mean `{key}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key.
        key: String,
        /// The most similar key that exists.
        nearest: Option<String>,
        /// Where it was written.
        origin: String,
    },
    /// A key without a value.
    #[error("`{key}` is missing: set it in the configuration file or as {variable}")]
    Missing {
        /// The key.
        key: String,
        /// The environment variable that would set it.
        variable: String,
    },
    /// A secret's file cannot be read.
    #[error("`{key}` names the file {path}, which cannot be read")]
    SecretFile {
        /// The key.
        key: String,
        /// The path it holds.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Similarity below which a suggestion would only confuse.
const SIMILARITY_MIN: f64 = 0.6;

impl ConfigError {
    /// Explains the first error that the reader met while it read the table `section`, which is empty for all.
    pub(super) fn from_figment(error: &Error, merged: &Figment, section: &str) -> Self {
        let path = whole_path(error, section);
        let key = path.join(".");
        let origin = match &error.metadata {
            Some(metadata) => origin(metadata, &key),
            None => source_of(merged, &key),
        };
        match &error.kind {
            Kind::UnknownField(field, known) => {
                // The path ends with the field itself.
                let table = path.strip_suffix(std::slice::from_ref(field)).unwrap_or(&path);
                let key = join(table, field);
                let origin = merged.find_metadata(&key).map_or(origin, |metadata| self::origin(metadata, &key));
                let nearest = nearest(field, known).map(|known| join(table, known));
                Self::UnknownKey { key, nearest, origin }
            }
            Kind::MissingField(field) => {
                let key = join(&path, field);
                Self::Missing { variable: variable(&key), key }
            }
            Kind::Message(message) if key.is_empty() => Self::Syntax { origin, problem: without_quoted_lines(message) },
            kind => Self::Invalid { key, problem: problem(kind), origin },
        }
    }
}

/// The path from the root: the reader of one table puts the table's own path behind what it found in it.
fn whole_path(error: &Error, section: &str) -> Vec<String> {
    let own: Vec<String> = section.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let mut path = error.path.clone();
    if !own.is_empty() && path.ends_with(&own) {
        path.rotate_right(own.len());
    }
    path
}

/// Where the value of a key came from.
pub(super) fn source_of(merged: &Figment, key: &str) -> String {
    merged.find_metadata(key).map_or_else(|| "the configuration".to_owned(), |metadata| origin(metadata, key))
}

fn origin(metadata: &Metadata, key: &str) -> String {
    match &metadata.source {
        Some(Source::File(path)) => format!("the file {}", path.display()),
        _ if metadata.name.contains("environment") => format!("the environment variable {}", variable(key)),
        _ => "the text given".to_owned(),
    }
}

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

fn join(path: &[String], last: &str) -> String {
    path.iter().map(String::as_str).chain([last]).collect::<Vec<_>>().join(".")
}

fn nearest<'a>(field: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(field, known), *known))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, known)| known)
}

/// What is wrong, with the type of what was given but not the value.
fn problem(kind: &Kind) -> String {
    match kind {
        Kind::InvalidType(given, expected) => format!("expected {}, found {}", plain(expected), type_of(given)),
        Kind::InvalidValue(_, expected) => format!("this value is not allowed; expected {}", plain(expected)),
        Kind::InvalidLength(given, expected) => format!("{given} items are not allowed: expected {expected}"),
        Kind::UnknownVariant(_, known) => format!("expected one of {}", known.join(", ")),
        Kind::DuplicateField(_) => "it is given twice".to_owned(),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "the number is out of range".to_owned(),
        Kind::Unsupported(given) | Kind::UnsupportedKey(given, _) => format!("{} cannot be used here", type_of(given)),
        Kind::Message(message) => without_quoted_lines(message),
        Kind::UnknownField(..) | Kind::MissingField(_) => "the keys do not fit".to_owned(),
    }
}

/// The names of Rust's numbers mean nothing to an operator.
fn plain(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        other => other,
    }
}

fn type_of(given: &Actual) -> &'static str {
    match given {
        Actual::Bool(_) => "a boolean",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "a text",
        Actual::Bytes(_) => "bytes",
        Actual::Unit | Actual::Option => "nothing",
        Actual::NewtypeStruct | Actual::Map => "a table",
        Actual::Seq => "a list",
        _ => "another type",
    }
}

/// A parser's message without the lines that quote the file, which may hold a secret.
fn without_quoted_lines(message: &str) -> String {
    message
        .lines()
        .filter(|line| !line.contains('|'))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

//! Files that people write for Tocsin: networks, scenarios, reports, drafts. One way to read them, one form of error:
//! the file, the line, the JSON path and what was expected there, never the value that stood there.
//!
//! Codes stay text here. Whether a code exists is the services' decision, so that there is one answer to it.

pub(crate) mod alert;
mod consent;
pub(crate) mod fields;
mod ignored;
mod locate;
pub(crate) mod network;
pub(crate) mod report;
pub(crate) mod scenario;
#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// More than any network of the size that Tocsin serves; a larger file is a mistake.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What is wrong with a file that somebody wrote.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It cannot be read at all.
    #[error("cannot read {name}: {reason}")]
    Unreadable {
        /// The file as it was named.
        name: String,
        /// Why, in words.
        reason: String,
    },
    /// It is read, and something in it is wrong.
    #[error("{name}, line {line}, column {column}, at `{path}`: {expected}")]
    Wrong {
        /// The file as it was named.
        name: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// The JSON path, as `organisations[3].contacts[0].channels`; a dot for the whole file.
        path: String,
        /// What was expected.
        expected: String,
    },
}

/// A text with the name of where it came from.
#[derive(Debug)]
pub(crate) struct Text {
    /// How errors name it: the path, or `standard input`.
    pub(crate) name: String,
    /// What it says, without a byte order mark.
    pub(crate) text: String,
}

/// What a file said, and what in it was not understood.
#[derive(Debug)]
pub(crate) struct Parsed<T> {
    /// What it said.
    pub(crate) value: T,
    /// The paths of keys that nobody reads.
    pub(crate) ignored: Vec<String>,
}

/// Reads a text file whole; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Text, FileError> {
    if path == Path::new("-") {
        return read_from("standard input".to_owned(), std::io::stdin().lock());
    }
    let name = path.display().to_string();
    match std::fs::File::open(path) {
        Ok(file) => read_from(name, file),
        Err(error) => Err(FileError::Unreadable { name, reason: error.to_string() }),
    }
}

fn read_from(name: String, source: impl std::io::Read) -> Result<Text, FileError> {
    let mut bytes = Vec::new();
    if let Err(error) = source.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes) {
        return Err(FileError::Unreadable { name, reason: error.to_string() });
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::Unreadable { name, reason: format!("it is larger than {FILE_BYTES_MAX} bytes") });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Text { name, text: text.trim_start_matches('\u{feff}').to_owned() }),
        Err(error) => {
            let reason = format!("it is not UTF-8 from byte {} on; save it as UTF-8", error.utf8_error().valid_up_to());
            Err(FileError::Unreadable { name, reason })
        }
    }
}

impl Text {
    /// A text that came from elsewhere than a file.
    pub(crate) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Reads the text as JSON of this form. The form writes itself back, so that keys it does not know can be named.
    pub(crate) fn parse<T: DeserializeOwned + Serialize>(&self) -> Result<Parsed<T>, FileError> {
        let mut deserializer = serde_json::Deserializer::from_str(&self.text);
        let value: T = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            self.wrong_json(path, error.inner())
        })?;
        deserializer.end().map_err(|error| self.wrong_json(".".to_owned(), &error))?;
        let given: serde_json::Value =
            serde_json::from_str(&self.text).map_err(|error| self.wrong_json(".".to_owned(), &error))?;
        let kept = serde_json::to_value(&value).map_err(|error| self.wrong_json(".".to_owned(), &error))?;
        Ok(Parsed { value, ignored: ignored::keys(&given, &kept) })
    }

    /// An error about the value at this path, found after the text was read.
    pub(crate) fn wrong_at(&self, path: &str, expected: impl Into<String>) -> FileError {
        let (line, column) = locate::position(&self.text, path).unwrap_or((1, 1));
        FileError::Wrong { name: self.name.clone(), line, column, path: path.to_owned(), expected: expected.into() }
    }

    fn wrong_json(&self, path: String, error: &serde_json::Error) -> FileError {
        FileError::Wrong {
            name: self.name.clone(),
            line: error.line(),
            column: error.column(),
            path: if path == "?" { ".".to_owned() } else { path },
            expected: without_the_value(error),
        }
    }
}

/// The words of an error without its position (which stands elsewhere) and without the value it found: that may be
/// somebody's story.
fn without_the_value(error: &serde_json::Error) -> String {
    let position = format!(" at line {} column {}", error.line(), error.column());
    let whole = error.to_string();
    let words = whole.strip_suffix(&position).unwrap_or(&whole);
    for start in ["invalid type: ", "invalid value: "] {
        if let (Some(rest), Some(at)) = (words.strip_prefix(start), words.rfind(", expected ")) {
            let kind: String =
                rest.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == ' ').collect();
            let expected = words.get(at + ", expected ".len()..).unwrap_or_default();
            return format!("found {}, expected {expected}", kind.trim());
        }
    }
    words.to_owned()
}

/// Says on standard error which keys of a file nobody reads.
pub(crate) fn warn_of_ignored(name: &str, ignored: &[String]) {
    for path in ignored {
        eprintln!(
            "warning: {}: `{}` is not known and is ignored",
            crate::output::clean(name),
            crate::output::clean(path)
        );
    }
}

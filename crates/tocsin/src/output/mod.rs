//! What the client prints: tables for people on a terminal, plain columns in a pipe, and one JSON document for
//! programs. Whatever comes from elsewhere is made safe for a terminal first.

mod clean;
mod json;
mod page;
mod table;
mod time;

pub(crate) use clean::{clean, clean_lines};
pub(crate) use json::{JsonError, document};
pub(crate) use page::Page;
pub(crate) use table::Table;
pub(crate) use time::{moment, moment_now};

/// Who reads standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A person, or a pipe of a person's.
    Text,
    /// A program.
    Json,
}

/// Prints text on standard output. A reader that went away (as `| head` does) is no error of ours.
pub(crate) fn print(text: &str) {
    use std::io::Write as _;
    let mut output = std::io::stdout().lock();
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    if write!(output, "{text}{end}").and_then(|()| output.flush()).is_err() {
        std::process::exit(0);
    }
}

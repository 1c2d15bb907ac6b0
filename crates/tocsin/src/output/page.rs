//! A page about one thing: labelled values, tables and texts under headings.

use std::fmt::Write as _;

use super::{Table, clean, clean_lines};

/// A page that grows from top to bottom. Every value is cleaned when it is added.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
    fields: Vec<(String, String)>,
}

impl Page {
    /// An empty page.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a heading, with an empty line before it.
    pub(crate) fn heading(&mut self, text: &str) -> &mut Self {
        self.flush();
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let _ = writeln!(self.text, "{}", clean(text));
        self
    }

    /// Adds a labelled value; an empty one is left out.
    pub(crate) fn field(&mut self, label: &str, value: impl AsRef<str>) -> &mut Self {
        let value = value.as_ref();
        if !value.is_empty() {
            self.fields.push((label.to_owned(), clean(value).into_owned()));
        }
        self
    }

    /// Adds a list as one labelled value; an empty one is left out.
    pub(crate) fn list(&mut self, label: &str, values: &[String]) -> &mut Self {
        self.field(label, values.join(", "))
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.flush();
        let _ = writeln!(self.text, "{}", clean(text.as_ref()));
        self
    }

    /// Adds a text of several lines, set in from the left so that it cannot pass for a line of ours.
    pub(crate) fn quote(&mut self, text: &str) -> &mut Self {
        self.flush();
        for line in clean_lines(text).lines() {
            let _ = writeln!(self.text, "  | {line}");
        }
        self
    }

    /// Adds a table; one without rows is left out.
    pub(crate) fn table(&mut self, table: &Table) -> &mut Self {
        self.flush();
        if !table.is_empty() {
            let _ = writeln!(self.text, "{table}");
        }
        self
    }

    /// Writes the fields that wait, their values aligned.
    fn flush(&mut self) {
        let width = self.fields.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
        for (label, value) in self.fields.drain(..) {
            let _ = writeln!(self.text, "{label:<width$}  {value}");
        }
    }

    /// The whole page.
    pub(crate) fn finish(&mut self) -> String {
        self.flush();
        std::mem::take(&mut self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_aligns_values_and_sets_texts_in() {
        let mut page = Page::new();
        page.field("case", "XA-2026-0001").field("state", "received").field("empty", "");
        page.heading("Report").quote("first\nsecond\u{1b}[31m\r\nstate  released");
        insta::assert_snapshot!(page.finish(), @r"
        case   XA-2026-0001
        state  received

        Report
          | first
          | second\u{1b}[31m\r
          | state  released
        ");
    }
}

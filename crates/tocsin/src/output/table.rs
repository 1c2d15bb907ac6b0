//! A table: ruled and wrapped to the width of a terminal, or plain aligned columns that `awk` and `sort` can use.

use std::fmt;
use std::io::IsTerminal as _;

use comfy_table::presets::{NOTHING, UTF8_HORIZONTAL_ONLY};
use comfy_table::{Attribute, Cell, ContentArrangement};

use super::clean;

/// Rows under a header. Cells are cleaned when they are added, so that none can move the cursor.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub(crate) fn new<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Self {
        Self { header: header.map(str::to_owned).to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row<const COLUMNS: usize>(&mut self, cells: [String; COLUMNS]) -> &mut Self {
        self.rows.push(cells.map(|cell| clean(&cell).into_owned()).to_vec());
        self
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Ruled, as wide as the terminal at most.
    fn ruled(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(self.header.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
        table.add_rows(&self.rows);
        table.trim_fmt()
    }

    /// Two spaces between aligned columns, never wrapped, an empty cell shown as `-` so that columns can be counted.
    pub(crate) fn plain(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
        table.set_header(&self.header);
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| if cell.is_empty() { "-" } else { cell.as_str() }));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table.trim_fmt()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if std::io::stdout().is_terminal() { self.ruled() } else { self.plain() };
        formatter.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_no_cell_reaches_the_terminal_raw() {
        let mut table = Table::new(["organisation", "name", "state"]);
        table.row(["org-001".into(), "Cedar \u{1b}[2Jclinic".into(), String::new()]);
        table.row(["org-2".into(), "احتجاز".into(), "acknowledged".into()]);
        insta::assert_snapshot!(table.plain(), @r"
        organisation  name                   state
        org-001       Cedar \u{1b}[2Jclinic  -
        org-2         احتجاز                 acknowledged
        ");
        assert!(!table.ruled().contains("\u{1b}[2J"));
    }
}

//! What the demo says while it works. On a terminal it goes to standard output; with `--summary json` standard output
//! belongs to the summary, and the words go to standard error.

use crate::output::clean;

/// Where the words go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tell {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

impl Tell {
    /// A line as it is.
    pub(super) fn line(self, text: &str) {
        match self {
            Self::Output => println!("{text}"),
            Self::Error => eprintln!("{text}"),
        }
    }

    /// One step of the walk, and whose step it is.
    pub(super) fn step(self, who: &str, what: &str) {
        self.line(&format!("  {who:<12} {}", clean(what)));
    }

    /// A heading.
    pub(super) fn heading(self, text: &str) {
        self.line(&format!("\n{}", clean(text)));
    }

    /// Something that a reader should know and that stops nothing.
    pub(super) fn warn(what: &str) {
        eprintln!("warning: {}", clean(what));
    }
}

//! Long lists come in pages.

use clap::Args;

/// Which part of a long list.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct Paging {
    /// How many to show, at most 200.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: u32,
    /// Go on where the page before ended, as it said.
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    pub(crate) page: String,
    /// Show every page.
    #[arg(long, conflicts_with = "page")]
    pub(crate) all: bool,
}

//! The codes of the domain: closed lists of stable lower-case words, their parsing and their labels in four languages.

mod labels;
mod list;
mod table;
mod unknown;

pub use labels::{alleged, label};
pub(crate) use list::code_list;
pub use table::*;
pub use unknown::UnknownCode;

//! Contact points: what an import may hold, how it is kept, and how it is read for sending.

mod details;
mod directory;
mod import;
mod mask;
mod messenger;
pub(crate) mod verification;
mod webhook_keys;
mod word;

pub(crate) use details::{Details, KeysBefore};
pub(crate) use directory::{Directory, Recipient};
pub(crate) use import::{ImportRules, ImportedContact};
pub(crate) use mask::masked;
pub(crate) use messenger::{is_matrix_room, is_signal_address};
pub(crate) use webhook_keys::Rotation;
pub(crate) use word::shared_word;

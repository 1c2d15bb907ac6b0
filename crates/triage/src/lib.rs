//! # Triage: the release gate
//!
//! People verify a report here, weigh it, and decide what may be said, to whom. Nothing leaves without a consent that
//! covers it and two approvals of that very version; not publishing is a normal outcome, and it is recorded with its
//! reasons.
//!
//! *Reads*: `report.received`, `message.received`, `response.recorded`, `dispatch_key.published`; asks dispatch whom a
//! release would reach and notification what each would read. *Writes*: `triage_key.published`, `answer.recorded`,
//! `page.requested`, `alert.released`, `alert.withdrawn`. *Owns*: cases and their content, the key store that opens it,
//! the audit trail, and who holds a key. *Never*: knows an address, sends anything, or keeps a typed word in clear.
//!
//! In reading order: `config` and `app`; the doors in `api`, one file a verb; `consume`, one file an event; `gate` with
//! everything that a release depends on, `release` and `withdrawal`; `answers` to the reporter and `pages` to duty
//! officers; `reconcile`; `store`, `entity`, `sealed`; the key store in `vault`.

mod app;
mod config;

mod api;
mod consume;
mod decode;

mod gate;
mod peers;
mod release;
mod withdrawal;

mod answers;
mod pages;
mod reconcile;

mod desk;
mod entity;
mod error;
mod migration;
mod sealed;
mod store;
mod vault;

#[cfg(test)]
mod tests;

pub use app::{App, KEY_FILES};
pub use config::TriageConfig;
pub use migration::Migrator;
pub use vault::migrate as migrate_key_store;

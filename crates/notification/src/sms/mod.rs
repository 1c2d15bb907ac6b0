//! SMS beyond one request: which gateway is asked, what may be spent, which receipts are awaited, and who writes back.
//!
//! In reading order: [`ledger`] (pure: what each gateway was given, and what follows), `desk` (an attempt, with its
//! submission written before and its end after), `watch` (receipts that do not come), `reply` and `incoming` (what people
//! write back), `answers` (what they are told).

mod answers;
mod book;
mod desk;
mod incoming;
pub(crate) mod ledger;
mod message_id;
mod pause;
mod phone;
mod phones;
mod reply;
mod single;
mod spend;
mod watch;

#[cfg(test)]
mod permutations;

pub(crate) use answers::Kind as Answered;
pub(crate) use book::{by_message, give_up_times, is_needed, keep_early, lock, save, watch_for};
pub(crate) use desk::{Desk, OPEN_A_REQUEST, attempt};
pub(crate) use incoming::{IncomingText, take as take_incoming};
pub(crate) use message_id::MessageId;
pub(crate) use pause::paused;
pub(crate) use phone::{is_allowed, is_e164};
pub(crate) use phones::{backfill as backfill_phones, record as record_phones};
pub(crate) use single::send_one;
pub(crate) use watch::run as run_watch;

//! The ledger: what was promised to reporters, to the people of triage and to members while faults were made, and the
//! proof afterwards that every promise was kept.
//!
//! In reading order: [`Ledger`], what was promised; [`houses`], clients that try the other process; [`reporters`],
//! [`office`] and [`members`], who make work all the time; [`evidence`], what became of it; [`judge`], both compared.

pub mod evidence;
pub mod houses;
pub mod judge;
pub mod members;
pub mod office;
pub mod reporters;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tocsin_tests::answers::{Answered, Answers};

/// Enough surprises to understand what happens; more would only fill the memory.
const SURPRISES_MAX: usize = 50;

/// What was promised so far.
#[derive(Debug, Default)]
pub struct Ledger {
    promises: Mutex<Promises>,
}

/// Everything that somebody was told.
#[derive(Debug, Default)]
pub struct Promises {
    /// Reports by idempotency key.
    pub answers: Answers,
    /// Reports whose case the office works on: those get more answers than the automatic one.
    pub worked_on: BTreeSet<String>,
    /// Alerts of which triage said "released", by id.
    pub released: BTreeMap<String, Released>,
    /// Alerts that each member was shown on its feed.
    pub shown: BTreeMap<String, BTreeSet<String>>,
    /// Responses that dispatch took: alert, organisation, response.
    pub responses: BTreeSet<(String, String, String)>,
    /// Answers that nobody should get, though processes come and go.
    pub surprises: Vec<String>,
    /// How often somebody had to try again.
    pub retries: usize,
}

/// An alert that was released.
#[derive(Debug, Clone)]
pub struct Released {
    /// Its case.
    pub case_id: String,
    /// What stands in every notice.
    pub short_code: String,
    /// When the office heard of it.
    pub at: Instant,
}

impl Ledger {
    /// Looks at the promises, or changes them.
    pub fn with<T>(&self, change: impl FnOnce(&mut Promises) -> T) -> T {
        change(&mut self.promises.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes what an attempt to report came to.
    pub fn answered(&self, key: String, answered: Answered) {
        self.with(|promises| promises.answers.note(key, answered));
    }

    /// Notes that somebody had to try again.
    pub fn retried(&self) {
        self.with(|promises| promises.retries += 1);
    }

    /// Notes an answer that nobody should get.
    pub fn surprise(&self, what: String) {
        self.with(|promises| {
            if promises.surprises.len() < SURPRISES_MAX {
                promises.surprises.push(what);
            }
        });
    }
}

//! # What Tocsin decides
//!
//! Types, states and decisions of the network's alarm bell, without any input or output: whoever reads this crate knows
//! what Tocsin does with a report, and whoever tests it needs no server. Every decision is a function of a state, an
//! input and `now`.
//!
//! *Reads*: nothing. *Writes*: nothing. *Owns*: the words and the rules. *Never*: takes the time, draws a random number
//! for a decision, logs, or names a runtime, a database or a bus.
//!
//! In reading order, as a report walks the road:
//!
//! 1. The words: [`id`], [`codes`] (with their labels), [`language`], [`country`], [`text`], [`sensitive`],
//!    [`violation`].
//! 2. A report comes in: [`report`], its [`priority`] and clocks, the [`adversary`]'s date.
//! 3. People work on it: [`role`], the states of a [`case`](mod@case), [`verification`], the risk [`score`](mod@score),
//!    [`consent`].
//! 4. An alert leaves: the draft ([`alert`], [`tlp`], [`reference`](mod@reference)), its [`audience`], the
//!    [`approval`]s, the [`release`] gate.
//! 5. Notices go out: [`channel`], [`notice`], [`schedule`].

pub mod id;

pub mod codes;
pub mod country;
pub mod language;
pub mod sensitive;
pub mod text;
pub mod violation;

pub mod adversary;
pub mod priority;
pub mod report;

pub mod case;
pub mod consent;
pub mod role;
pub mod score;
pub mod verification;

pub mod alert;
pub mod approval;
pub mod audience;
pub mod reference;
pub mod release;
pub mod tlp;

pub mod channel;
pub mod notice;
pub mod schedule;

#[cfg(test)]
mod tests;

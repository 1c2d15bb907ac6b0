//! What journeys and benchmarks share: the real program as a process, clients with keys, the walk of a case from the
//! report to the release, receivers on loopback, and a search for text that must not be anywhere.
//!
//! It depends on no service crate: whatever it knows of the product, it learns through the product's own doors.

pub mod answers;
pub mod arrivals;
pub mod canary;
pub mod cast;
pub mod clients;
pub mod deployed;
pub mod installation;
pub mod mail;
pub mod network;
pub mod ports;
pub mod process;
pub mod program;
pub mod receivers;
pub mod scenario;
pub mod stage;
pub mod tools;
pub mod trouble;
pub mod walk;

pub use trouble::{Outcome, Trouble};

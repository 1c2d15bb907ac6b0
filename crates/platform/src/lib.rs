//! How Tocsin runs: everything a service needs around its decisions, written once.
//!
//! In reading order: the clock and the life of a process, configuration and telemetry; the database with its outbox,
//! the bus and the consumers (an accepted fact is a row first and a message second); the doors (gRPC, HTTP), the keys
//! that open them, and sealing. `testing` holds real servers for tests and is compiled only with the feature of that
//! name.

pub mod clock;
pub mod config;
pub mod fail_points;
pub mod lifecycle;
pub mod telemetry;

pub mod bus;
pub mod consume;
pub mod database;
pub mod group_commit;
pub mod outbox;

pub mod credentials;
pub mod failure;
pub mod grpc;
pub mod http;
pub mod pages;
pub mod seal;
pub mod sealing_keys;

pub mod operations;
pub mod service;
mod sockets;
pub mod tls;
pub mod waiting;

pub use failure::Failure;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(test)]
mod tests;

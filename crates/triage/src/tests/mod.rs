//! Triage through its real gRPC door, on both databases, with neighbours that speak its events and answer its questions.

mod approvals;
mod clocks;
mod doors;
mod fixtures;
mod house;
mod keys;
mod neighbours;
mod processes;
mod races;
mod refusals;
mod roles;
mod rotation;
mod secrets;
mod walk;

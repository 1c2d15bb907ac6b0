#![doc = include_str!("../README.md")]

mod config;
mod error;

mod entity;
mod migration;
mod store;

mod accept;
mod idempotency;
mod room;
mod slowing;
mod triage_key;

mod api;
mod consume;
mod intake;

mod app;

pub use api::json::openapi_document;
pub use app::App;
pub use config::IntakeConfig;
pub use migration::Migrator;

#[cfg(test)]
mod tests;

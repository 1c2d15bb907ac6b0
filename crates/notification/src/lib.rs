#![doc = include_str!("../README.md")]

pub mod config;
mod tls;

mod entity;
pub mod migration;
mod secrets;

mod channel;
mod contact;
mod decode;
mod render;
mod sms;

mod audit;
mod bulletin;
mod changes;
mod engine;
mod expand;
mod gateways;
mod gone;
mod handover;
pub mod inspect;
mod mail;
mod office;
mod probe;
mod sizes;
mod store;

mod api;
pub mod app;
mod callbacks;
mod consume;
mod receipts;
mod redrive;
mod report;
mod selection;
mod withdraw;

pub use app::{App, KEY_FILES};
pub use config::NotificationConfig;
pub use migration::Migrator;

#[cfg(test)]
mod tests;

#![doc = include_str!("../README.md")]

mod app;
mod config;

mod api;
mod consume;
mod http;

mod coverage;
mod expiry;
mod feed;
mod network;
mod register;
mod respond;
mod response;
mod view;
mod withdraw;

mod content;
mod dispatch;
mod error;
mod token;

mod entity;
mod migration;
mod store;

#[cfg(test)]
mod tests;

pub use app::{App, KEY_FILES};
pub use config::{DispatchConfig, SettingOutOfRange};
pub use feed::renew_feed_epoch;
pub use migration::Migrator;

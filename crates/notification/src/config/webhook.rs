//! The part `[notification.webhook]` of the settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use tocsin_platform::config::{ConfigError, Settings};

/// How webhooks are sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// The most attempts in flight to one host; urgent notices may use one more.
    pub in_flight_max: usize,
    /// How long connecting may take, the name's resolution and TLS included, in seconds.
    pub connect_seconds: u32,
    /// How long an attempt may take in all, its answer included, in seconds.
    pub total_seconds: u32,
    /// How long a connection is kept without use, in seconds.
    pub idle_seconds: u32,
    /// The most connections kept without use, to all hosts together.
    pub idle_connections_max: usize,
    /// How long the secret before still signs after a new one was made, in hours.
    pub rotation_hours: u32,
    /// Sends named hosts (`name:443`, or `*` for all) to a loopback address instead, for demonstrations and tests.
    #[serde(default)]
    pub connect_to: BTreeMap<String, SocketAddr>,
    /// A PEM file of one more authority to trust.
    #[serde(default)]
    pub extra_authority: Option<PathBuf>,
    /// Lets `http://` through to loopback addresses, for tests.
    pub allow_loopback_http: bool,
}

impl WebhookConfig {
    pub(super) fn check(&self, settings: &Settings) -> Result<(), ConfigError> {
        let counts = [("in_flight_max", self.in_flight_max), ("idle_connections_max", self.idle_connections_max)];
        let times = [
            ("connect_seconds", self.connect_seconds),
            ("total_seconds", self.total_seconds),
            ("idle_seconds", self.idle_seconds),
        ];
        let mut zeros = counts.iter().filter(|(_, value)| *value == 0).map(|(key, _)| *key);
        let mut instants = times.iter().filter(|(_, value)| *value == 0).map(|(key, _)| *key);
        if let Some(key) = zeros.next().or_else(|| instants.next()) {
            return Err(settings.invalid(&format!("notification.webhook.{key}"), "must be at least 1"));
        }
        if self.connect_to.values().any(|target| !target.ip().is_loopback()) {
            return Err(settings.invalid("notification.webhook.connect_to", "each target must be a loopback address"));
        }
        Ok(())
    }
}

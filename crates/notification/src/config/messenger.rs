//! The parts `[notification.signal]` and `[notification.matrix]` of the settings.

use std::path::PathBuf;

use serde::Deserialize;
use tocsin_platform::config::{ConfigError, Secret, Settings, secret};
use url::Url;

use super::is_loopback_host;

/// The HTTP gateway to Signal (signal-cli-rest-api).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalConfig {
    /// Its address; empty when there is none, and notices by Signal wait.
    pub url: String,
    /// The number under which it sends, in E.164 form.
    pub number: String,
    /// The most messages in flight to it at the same time.
    pub in_flight_max: usize,
    /// How long it may take to answer, in seconds.
    pub answer_seconds: u32,
}

/// The Matrix homeserver that takes our messages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatrixConfig {
    /// Its address; empty when there is none, and notices by Matrix wait.
    pub url: String,
    /// The access token of our account there.
    #[serde(default)]
    pub access_token: Option<Secret>,
    /// A file that holds the access token; it wins.
    #[serde(default)]
    pub access_token_file: Option<PathBuf>,
    /// The most messages in flight to it at the same time.
    pub in_flight_max: usize,
    /// How long it may take to answer, in seconds.
    pub answer_seconds: u32,
}

impl SignalConfig {
    pub(super) fn check(&self, settings: &Settings) -> Result<(), ConfigError> {
        check_limits("notification.signal", self.in_flight_max, self.answer_seconds, settings)?;
        if self.url.is_empty() {
            return Ok(());
        }
        check_url("notification.signal.url", &self.url, settings)?;
        let digits = self.number.strip_prefix('+').unwrap_or_default();
        if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(settings.invalid("notification.signal.number", "must be in E.164 form, such as +447700900000"));
        }
        Ok(())
    }
}

impl MatrixConfig {
    pub(super) fn check(&mut self, settings: &Settings) -> Result<(), ConfigError> {
        check_limits("notification.matrix", self.in_flight_max, self.answer_seconds, settings)?;
        let file = self.access_token_file.as_deref();
        self.access_token = secret("notification.matrix.access_token", self.access_token.as_ref(), file)?;
        if self.url.is_empty() {
            return Ok(());
        }
        check_url("notification.matrix.url", &self.url, settings)?;
        if self.access_token.is_none() {
            return Err(settings.invalid("notification.matrix.access_token", "is needed with notification.matrix.url"));
        }
        Ok(())
    }
}

fn check_limits(part: &str, in_flight_max: usize, answer_seconds: u32, settings: &Settings) -> Result<(), ConfigError> {
    if in_flight_max == 0 {
        return Err(settings.invalid(&format!("{part}.in_flight_max"), "must be at least 1"));
    }
    if answer_seconds == 0 {
        return Err(settings.invalid(&format!("{part}.answer_seconds"), "must be at least 1"));
    }
    Ok(())
}

/// What passes there could tell who is written to, so it is encrypted off this machine.
fn check_url(key: &str, given: &str, settings: &Settings) -> Result<(), ConfigError> {
    let url = Url::parse(given).map_err(|_| settings.invalid(key, "must be a URL"))?;
    let loopback = url.host_str().is_some_and(is_loopback_host);
    if url.scheme() == "https" || (url.scheme() == "http" && loopback) {
        return Ok(());
    }
    Err(settings.invalid(key, "must be https, or http to a loopback address"))
}

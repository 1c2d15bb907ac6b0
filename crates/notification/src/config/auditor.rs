//! The part `[notification.auditor]` of the settings.

use std::path::PathBuf;

use serde::Deserialize;
use tocsin_platform::config::{ConfigError, Secret, Settings, secret};
use url::Url;

use super::is_loopback_host;

/// The auditor of notices.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditorConfig {
    /// The outside address that is called after each audit that went well. Such addresses hold a secret in their path.
    #[serde(default)]
    pub ping_url: Option<Secret>,
    /// A file that holds it; it wins.
    #[serde(default)]
    pub ping_url_file: Option<PathBuf>,
    /// How long a receipt may be awaited, in hours; after that nobody knows whether the notice arrived.
    pub receipt_hours_max: u32,
}

impl AuditorConfig {
    pub(super) fn check(&mut self, settings: &Settings) -> Result<(), ConfigError> {
        let key = "notification.auditor.ping_url";
        let given = secret(key, self.ping_url.as_ref(), self.ping_url_file.as_deref())?;
        self.ping_url = given.filter(|url| !url.expose().is_empty());
        if self.receipt_hours_max == 0 {
            return Err(settings.invalid("notification.auditor.receipt_hours_max", "must be at least 1"));
        }
        if let Some(given) = &self.ping_url {
            let url = Url::parse(given.expose()).map_err(|_| settings.invalid(key, "must be a URL"))?;
            let loopback = url.host_str().is_some_and(is_loopback_host);
            if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
                return Err(settings.invalid(key, "must be https, or http to a loopback address"));
            }
        }
        Ok(())
    }
}

//! The part `[notification.breaker]` of the settings.

use serde::Deserialize;
use tocsin_platform::config::{ConfigError, Settings};

/// When a destination counts as failing, and how often it is tried meanwhile.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerConfig {
    /// So many failures in a row open it.
    pub failures_max: u32,
    /// The time over which failures are counted against successes, in seconds.
    pub window_seconds: u32,
    /// Half of this many attempts or more within the window having failed opens it.
    pub window_attempts_min: u32,
    /// The time to the first probe, in seconds; it doubles with each probe that fails.
    pub probe_seconds: u32,
    /// The longest time between two probes, in seconds.
    pub probe_seconds_max: u32,
}

impl BreakerConfig {
    pub(super) fn check(&self, settings: &Settings) -> Result<(), ConfigError> {
        let values = [
            ("failures_max", self.failures_max),
            ("window_seconds", self.window_seconds),
            ("window_attempts_min", self.window_attempts_min),
            ("probe_seconds", self.probe_seconds),
        ];
        if let Some((key, _)) = values.iter().find(|(_, value)| *value == 0) {
            return Err(settings.invalid(&format!("notification.breaker.{key}"), "must be at least 1"));
        }
        if self.probe_seconds_max < self.probe_seconds {
            let key = "notification.breaker.probe_seconds_max";
            return Err(settings.invalid(key, "must not be less than notification.breaker.probe_seconds"));
        }
        Ok(())
    }
}

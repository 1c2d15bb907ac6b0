//! intake's own settings, checked at start; an error names the key.

use std::time::Duration;

use serde::Deserialize;
use tocsin_domain::report::TEXT_BYTES_MAX;
use tocsin_platform::config::{ConfigError, Settings};

/// The section `[intake]`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntakeConfig {
    /// The most text of one report or message, in bytes.
    pub text_bytes_max: usize,
    /// The largest body of a JSON request, in bytes.
    pub body_bytes_max: usize,
    /// How long the body of a request may take to arrive, in seconds.
    pub body_seconds_max: u64,
    /// How many bytes of bodies may be in memory at once; what comes beyond waits.
    pub bodies_in_memory_bytes_max: usize,
    /// How many submissions one transaction takes.
    pub group_max: usize,
    /// How many messages a reporter may add to one report.
    pub messages_per_report_max: i32,
    /// How long an idempotency key keeps its answer, in hours.
    pub idempotency_hours: u32,
    /// How long the answer to a wrong receipt is held back at least, in milliseconds.
    pub wrong_receipt_delay_ms: u64,
}

impl IntakeConfig {
    /// Reads and checks the section.
    pub fn load(settings: &Settings) -> Result<Self, ConfigError> {
        let config: Self = settings.section("intake")?;
        let checks = [
            ("text_bytes_max", (1_024..=TEXT_BYTES_MAX).contains(&config.text_bytes_max), "must be 1024 to 65536"),
            (
                "body_bytes_max",
                (config.text_bytes_max..=4_194_304).contains(&config.body_bytes_max),
                "must be at least text_bytes_max and at most 4194304",
            ),
            ("body_seconds_max", (1..=300).contains(&config.body_seconds_max), "must be 1 to 300"),
            (
                "bodies_in_memory_bytes_max",
                (config.body_bytes_max..=1 << 32).contains(&config.bodies_in_memory_bytes_max),
                "must be at least body_bytes_max and at most 4294967296",
            ),
            // Eight columns each, and 32,766 values in one statement of SQLite.
            ("group_max", (1..=1_024).contains(&config.group_max), "must be 1 to 1024"),
            ("messages_per_report_max", (1..=10_000).contains(&config.messages_per_report_max), "must be 1 to 10000"),
            ("idempotency_hours", (1..=720).contains(&config.idempotency_hours), "must be 1 to 720"),
            ("wrong_receipt_delay_ms", config.wrong_receipt_delay_ms <= 5_000, "must be at most 5000"),
        ];
        match checks.into_iter().find(|(_, holds, _)| !holds) {
            Some((key, _, problem)) => Err(settings.invalid(&format!("intake.{key}"), problem)),
            None => Ok(config),
        }
    }

    /// How long an idempotency key keeps its answer.
    pub(crate) fn idempotency_time(&self) -> Duration {
        Duration::from_secs(u64::from(self.idempotency_hours) * 3_600)
    }
}

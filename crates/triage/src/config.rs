//! Triage's settings: who is paged, how many approve, how long keys live, and the clocks and weights of the domain.

use std::time::Duration;

use serde::Deserialize;
use tocsin_domain::adversary::Leads;
use tocsin_domain::alert::DeadlineHours;
use tocsin_domain::id::ContactId;
use tocsin_domain::priority::{Clocks, Priority};
use tocsin_domain::score::Weights;
use tocsin_platform::config::{ConfigError, Settings};

/// An outbox says events again for seven days after nothing is owed, so keys must outlive that.
const KEY_KEEP_HOURS_MIN: u32 = 7 * 24;

/// The section `[triage]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageConfig {
    /// Opaque contact ids of the duty officers, in the order in which they are paged.
    pub(crate) duty_roster: Vec<ContactId>,
    /// A new sealing key pair is made after this many hours.
    pub(crate) key_rotation_hours: u32,
    /// How long the private half of a retired pair still opens what is on its way, in hours; at least the seven days
    /// that events are kept to be said again.
    pub(crate) key_keep_hours: u32,
    /// How long dispatch and notification may take to answer, in seconds.
    pub(crate) peer_seconds_max: u32,
    /// The clocks by priority.
    pub(crate) clocks: Clocks,
    /// How long before the adversary's date an alert must be out.
    pub(crate) leads: Leads,
    /// When the answer to an alert is due.
    pub(crate) deadlines: DeadlineHours,
    /// The weights of the risk score.
    pub(crate) weights: Weights,
}

impl TriageConfig {
    /// Reads the section and checks what its types cannot.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let config: Self = settings.section("triage")?;
        if config.duty_roster.is_empty() {
            return Err(settings.invalid("triage.duty_roster", "name at least one contact, or nobody is ever called"));
        }
        for (key, value) in [
            ("triage.key_rotation_hours", config.key_rotation_hours),
            ("triage.peer_seconds_max", config.peer_seconds_max),
        ] {
            if value == 0 {
                return Err(settings.invalid(key, "must be at least 1"));
            }
        }
        if config.key_keep_hours < KEY_KEEP_HOURS_MIN {
            let says = format!(
                "must be at least {KEY_KEEP_HOURS_MIN}: events are kept for seven days, and what is sealed in them \
                 must still open"
            );
            return Err(settings.invalid("triage.key_keep_hours", says));
        }
        for priority in Priority::ALL {
            let minutes = &config.clocks.of(*priority).escalate_minutes;
            if !minutes.is_sorted() || minutes.contains(&0) {
                let key = format!("triage.clocks.{priority}.escalate_minutes");
                return Err(settings.invalid(&key, "must rise, and begin after 0"));
            }
        }
        Ok(config)
    }

    /// How old the current key pair may become.
    pub(crate) fn rotation_period(&self) -> Duration {
        Duration::from_secs(u64::from(self.key_rotation_hours) * 3_600)
    }

    /// How long peers may take to answer.
    pub(crate) fn peer_time(&self) -> Duration {
        Duration::from_secs(u64::from(self.peer_seconds_max))
    }
}

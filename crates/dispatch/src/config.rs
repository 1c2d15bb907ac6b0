//! The settings of dispatch, the section `[dispatch]`.

use serde::Deserialize;

/// Typed settings; [`DispatchConfig::check`] names the key that is wrong.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DispatchConfig {
    /// How long a change of an alert is served from the feed, in days.
    pub feed_kept_days: u32,
    /// How many changes one reader of the feed may lag behind before its stream ends.
    pub feed_buffer: usize,
    /// The longest life of one stream, in minutes; a tenth of it is jitter.
    pub stream_minutes_max: u32,
    /// How often the key of an open stream is checked again, in seconds.
    pub stream_recheck_seconds: u32,
    /// The most contacts in one batch of notices.
    pub batch_contacts_max: usize,
    /// The most contacts in the first batch of an urgent alert, so that its first notices leave at once.
    pub first_batch_contacts_max: usize,
    /// How many opened alerts are kept in memory.
    pub opened_alerts_max: usize,
}

/// A setting that makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the setting dispatch.{key} is {given}: it must be between {least} and {most}")]
pub struct SettingOutOfRange {
    /// The key within the section.
    pub key: &'static str,
    /// What was given.
    pub given: u64,
    /// The smallest value that makes sense.
    pub least: u64,
    /// The largest value that makes sense.
    pub most: u64,
}

impl DispatchConfig {
    /// Checks every range.
    pub fn check(&self) -> Result<(), SettingOutOfRange> {
        let size = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let ranges = [
            ("feed_kept_days", u64::from(self.feed_kept_days), 1, 3_650),
            ("feed_buffer", size(self.feed_buffer), 1, 65_536),
            ("stream_minutes_max", u64::from(self.stream_minutes_max), 1, 1_440),
            ("stream_recheck_seconds", u64::from(self.stream_recheck_seconds), 1, 60),
            ("batch_contacts_max", size(self.batch_contacts_max), 1, 500),
            ("first_batch_contacts_max", size(self.first_batch_contacts_max), 1, 500),
            ("opened_alerts_max", size(self.opened_alerts_max), 1, 65_536),
        ];
        match ranges.into_iter().find(|(_, given, least, most)| !(least..=most).contains(&given)) {
            Some((key, given, least, most)) => Err(SettingOutOfRange { key, given, least, most }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_out_of_range_is_named() {
        let config = DispatchConfig {
            feed_kept_days: 90,
            feed_buffer: 256,
            stream_minutes_max: 60,
            stream_recheck_seconds: 15,
            batch_contacts_max: 501,
            first_batch_contacts_max: 100,
            opened_alerts_max: 256,
        };
        let error = config.check().unwrap_err().to_string();
        assert_eq!(error, "the setting dispatch.batch_contacts_max is 501: it must be between 1 and 500");
        assert_eq!(DispatchConfig { batch_contacts_max: 500, ..config }.check(), Ok(()));
    }
}

//! Whether somebody outside raises the alarm when the auditor falls silent.

use tocsin_notification::NotificationConfig;
use tocsin_platform::config::Settings;

use super::Finding;

/// None when notification's settings are wrong: another check says so.
pub(super) fn check(settings: &Settings) -> Option<Finding> {
    let config = NotificationConfig::read(settings).ok()?;
    Some(if config.auditor.ping_url.is_some() {
        Finding::ok("auditor", "a dead-man address is called while every notice is moving or explained")
    } else {
        Finding::warn(
            "auditor",
            "no dead-man address is set: if everything here stops, nobody is told",
            "set notification.auditor.ping_url_file to an address that raises the alarm when it is not called each minute",
        )
    })
}

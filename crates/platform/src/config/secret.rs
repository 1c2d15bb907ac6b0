//! Secrets in settings: never printed, better kept in files.

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::ConfigError;

/// More than this is no secret but a mistaken path.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// A setting that is never printed; wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret {
    text: SecretString,
}

impl Secret {
    /// A secret from a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: SecretString::from(text.into()) }
    }

    /// The text itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The secret of a pair of settings `<key>` and `<key>_file`; the file wins. The end of its last line is cut off.
pub fn secret(key: &str, value: Option<&Secret>, file: Option<&Path>) -> Result<Option<Secret>, ConfigError> {
    use std::io::Read;
    let Some(path) = file else { return Ok(value.cloned()) };
    let failed = |source| ConfigError::SecretFile { key: format!("{key}_file"), path: path.to_owned(), source };
    let mut text = zeroize::Zeroizing::new(String::new());
    std::fs::File::open(path)
        .and_then(|file| file.take(SECRET_FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(failed)?;
    Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']))))
}

/// Replaces what may be secret: by the last word of its key, and passwords inside addresses.
pub(super) fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if is_secret(key) && (member.is_string() || member.is_number()) {
                    *member = Value::from("[set]");
                } else {
                    redact(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::String(text) => {
            if let Some(redacted) = without_password(text) {
                *text = redacted;
            }
        }
        _ => {}
    }
}

fn is_secret(key: &str) -> bool {
    // The last three are headers of gateways.
    ["secret", "password", "token", "credentials", "passphrase", "authorization", "api-key", "api_key"]
        .iter()
        .any(|word| key.ends_with(word))
}

/// The address without its user's password, if it has one.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let at = rest.get(..authority)?.rfind('@')?;
    let (user, _) = rest.get(..at)?.split_once(':')?;
    Some(format!("{scheme}://{user}:[redacted]{}", rest.get(at..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_leave_the_output_and_the_rest_stays() {
        let mut value = serde_json::json!({
            "database": {"url": "postgres://intake:hunter2@db/tocsin?x=1", "connections_max": 5},
            "bus": {"password": "hunter2", "password_file": "/run/secret", "url": "nats://a:4222,nats://b:4222"},
            "notification": {"gateways": [{"url": "https://u:hunter2@sms.example/send", "token": 12345}]},
        });
        redact(&mut value);
        assert_eq!(
            value,
            serde_json::json!({
                "database": {"url": "postgres://intake:[redacted]@db/tocsin?x=1", "connections_max": 5},
                "bus": {"password": "[set]", "password_file": "/run/secret", "url": "nats://a:4222,nats://b:4222"},
                "notification": {"gateways": [{"url": "https://u:[redacted]@sms.example/send", "token": "[set]"}]},
            })
        );
    }
}

//! Configuration: compiled-in commented defaults, then a file, then the environment.
//!
//! Unknown keys are refused with the nearest known one, and every error names the key, what was expected and where the
//! value came from, but never the value: it may be a secret.

mod environment;
mod error;
mod secret;
mod sections;
mod validate;

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use figment::value::Value;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::database::DatabaseSettings;
use environment::Environment;

pub use error::ConfigError;
pub use secret::{Secret, secret};
pub use sections::{
    BusKind, BusSettings, LimitSettings, LogForm, ServiceSettings, ServicesSettings, TelemetrySettings, TlsSettings,
};

/// The defaults, as the commented file that `tocsin config` prints.
const DEFAULT_FILE: &str = include_str!("default.toml");

/// Stands for the data folder in the values of other keys.
const DATA_FOLDER: &str = "{data_folder}";

/// The settings of a whole process, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where an embedded installation keeps its files.
    pub data_folder: PathBuf,
    /// Where the key files of services are; the data folder unless it is set.
    pub key_folder: PathBuf,
    /// The address under which people reach the JSON door, without a slash at its end.
    pub public_url: String,
    /// Where the databases are.
    pub database: DatabaseSettings,
    /// Which bus carries events.
    pub bus: BusSettings,
    /// Where each service listens.
    pub services: ServicesSettings,
    /// Logs, traces and metrics.
    pub telemetry: TelemetrySettings,
    /// Sizes and times.
    pub limits: LimitSettings,
    /// Everything as it was merged, for the sections of services.
    merged: Figment,
}

/// The same as written in files, before what depends on other keys is put in. The sections of services are read by
/// [`Settings::section`], because only a service knows its own keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    data_folder: PathBuf,
    key_folder: String,
    public_url: String,
    database: sections::WrittenDatabase,
    bus: BusSettings,
    services: ServicesSettings,
    telemetry: TelemetrySettings,
    limits: LimitSettings,
    #[serde(rename = "intake")]
    _intake: Value,
    #[serde(rename = "triage")]
    _triage: Value,
    #[serde(rename = "dispatch")]
    _dispatch: Value,
    #[serde(rename = "notification")]
    _notification: Value,
}

/// The commented default file, which is the defaults.
pub fn default_file() -> &'static str {
    DEFAULT_FILE
}

/// Reads the settings: the defaults, then `file`, then the environment.
pub fn load(file: Option<&Path>) -> Result<Settings, ConfigError> {
    load_with(file, Environment::of_process())
}

/// The same, with the data folder that was given on the command line and wins over all of them.
pub fn load_in(file: Option<&Path>, data_folder: &Path) -> Result<Settings, ConfigError> {
    let given = Serialized::default("data_folder", data_folder);
    from_merged(merge(file, Environment::of_process())?.merge(given))
}

fn load_with(file: Option<&Path>, environment: Environment) -> Result<Settings, ConfigError> {
    from_merged(merge(file, environment)?)
}

fn merge(file: Option<&Path>, environment: Environment) -> Result<Figment, ConfigError> {
    let mut merged = Figment::from(Toml::string(DEFAULT_FILE));
    if let Some(path) = file {
        // Checked here, because a missing file would otherwise only be empty.
        std::fs::File::open(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        merged = merged.merge(Toml::file_exact(path));
    }
    Ok(merged.merge(environment))
}

impl Settings {
    /// The section of one service, as the struct that its crate defines. The struct must refuse unknown fields
    /// (`#[serde(deny_unknown_fields)]`), so that a misspelt key is found.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, ConfigError> {
        self.merged.extract_inner(name).map_err(|error| ConfigError::from_figment(&error, &self.merged, name))
    }

    /// Where the value of a key came from, for an error of a service's own checks: `the file tocsin.toml`.
    pub fn source_of(&self, key: &str) -> String {
        error::source_of(&self.merged, key)
    }

    /// An error about a key of a service's section: `settings.invalid("triage.quorum", "must be at least 2")`.
    pub fn invalid(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError::Invalid { key: key.to_owned(), problem: problem.into(), origin: self.source_of(key) }
    }

    /// All settings in force, for `doctor`: secrets are replaced by `[set]`, passwords in addresses by `[redacted]`.
    pub fn effective(&self) -> serde_json::Value {
        let mut value: serde_json::Value = self.merged.extract().unwrap_or_default();
        secret::redact(&mut value);
        value
    }

    /// The defaults, the given lines of TOML over them, and no environment: for tests and the demo.
    pub fn from_text(text: &str) -> Result<Self, ConfigError> {
        from_merged(Figment::from(Toml::string(DEFAULT_FILE)).merge(Toml::string(text)))
    }
}

fn from_merged(merged: Figment) -> Result<Settings, ConfigError> {
    let written: Written = merged.extract().map_err(|error| ConfigError::from_figment(&error, &merged, ""))?;
    let folder = written.data_folder.display().to_string();
    let settings = Settings {
        database: written.database.resolve(&folder)?,
        key_folder: PathBuf::from(written.key_folder.replace(DATA_FOLDER, &folder)),
        data_folder: written.data_folder,
        public_url: written.public_url.trim_end_matches('/').to_owned(),
        bus: written.bus,
        services: written.services,
        telemetry: written.telemetry,
        limits: written.limits,
        merged,
    };
    validate::check(&settings)?;
    Ok(settings)
}

#[cfg(test)]
mod tests;

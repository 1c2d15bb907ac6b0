//! The sections of the settings that belong to the platform.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tocsin_proto::catalogue::Service;

use super::{ConfigError, Secret, secret};
use crate::bus::NatsSettings;
use crate::database::DatabaseSettings;

/// Where the databases are, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenDatabase {
    url: Secret,
    url_file: Option<PathBuf>,
    connections_max: u32,
}

impl WrittenDatabase {
    pub(super) fn resolve(self, data_folder: &str) -> Result<DatabaseSettings, ConfigError> {
        let url = secret("database.url", Some(&self.url), self.url_file.as_deref())?.unwrap_or(self.url);
        Ok(DatabaseSettings {
            url: url.expose().replace(super::DATA_FOLDER, data_folder),
            connections_max: self.connections_max,
        })
    }
}

/// Which form of the bus carries events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusKind {
    /// Inside one process.
    InProcess,
    /// NATS JetStream.
    Nats,
}

/// The bus, and how to reach NATS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusSettings {
    /// Which form.
    pub kind: BusKind,
    /// The servers of NATS, separated by commas.
    pub url: String,
    /// How many servers keep each message.
    pub replicas: usize,
    /// A NATS credentials file.
    pub credentials_file: Option<PathBuf>,
    /// A user, together with the password.
    pub user: Option<String>,
    /// The password, better given as a file.
    pub password: Option<Secret>,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// A file with an nkey seed.
    pub nkey_seed_file: Option<PathBuf>,
    /// The PEM authority of the server's certificate.
    pub authority: Option<PathBuf>,
    /// Our own PEM certificate, for mutual TLS.
    pub certificate: Option<PathBuf>,
    /// The private key of our certificate.
    pub key: Option<PathBuf>,
}

impl BusSettings {
    /// How to reach NATS, with the password read from its file.
    pub fn nats(&self) -> Result<NatsSettings, ConfigError> {
        let password = secret("bus.password", self.password.as_ref(), self.password_file.as_deref())?;
        Ok(NatsSettings {
            url: self.url.clone(),
            user: self.user.clone(),
            password: password.map(|password| password.expose().to_owned()),
            nkey_seed_file: self.nkey_seed_file.clone(),
            credentials_file: self.credentials_file.clone(),
            authority: self.authority.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            replicas: self.replicas,
        })
    }
}

/// Where each of the four services listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicesSettings {
    /// Takes reports in.
    pub intake: ServiceSettings,
    /// The release gate.
    pub triage: ServiceSettings,
    /// Organisations and the feed.
    pub dispatch: ServiceSettings,
    /// Channels and attempts.
    pub notification: ServiceSettings,
}

impl ServicesSettings {
    /// The settings of one service.
    pub fn of(&self, service: Service) -> &ServiceSettings {
        match service {
            Service::Intake => &self.intake,
            Service::Triage => &self.triage,
            Service::Dispatch => &self.dispatch,
            Service::Notification => &self.notification,
        }
    }
}

/// Where one service listens and how it is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// The gRPC door.
    pub grpc: SocketAddr,
    /// The JSON door and the operator's routes.
    pub http: SocketAddr,
    /// Where the other services reach the gRPC door, when not at `grpc`.
    pub url: Option<String>,
    /// TLS of both doors; required off loopback.
    pub tls: Option<TlsSettings>,
}

impl ServiceSettings {
    /// Where the other services reach the gRPC door.
    pub fn peer_url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.url.clone().unwrap_or_else(|| format!("{scheme}://{}", self.grpc))
    }
}

/// PEM files of one service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate chain, the service's own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Clients of the gRPC door must show a certificate of this authority, and peers are trusted by it.
    pub authority: Option<PathBuf>,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogForm {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Logs and traces.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// The form of log lines.
    pub log: LogForm,
    /// What is logged, as directives of `tracing`.
    pub level: String,
    /// An OTLP collector for traces.
    pub otlp_endpoint: Option<String>,
}

/// Sizes and times that hold for every service.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// The largest body of a JSON request, in bytes.
    pub http_body_bytes_max: usize,
    /// The largest gRPC message, in bytes.
    pub grpc_message_bytes_max: usize,
    /// How long one request may take, in seconds.
    pub request_seconds_max: u64,
    /// How long work in flight may take to finish at the end, in seconds.
    pub drain_seconds_max: u64,
}

impl LimitSettings {
    /// How long one request may take.
    pub fn request_time(&self) -> Duration {
        Duration::from_secs(self.request_seconds_max)
    }

    /// How long work in flight may take to finish at the end.
    pub fn drain_time(&self) -> Duration {
        Duration::from_secs(self.drain_seconds_max)
    }
}

impl Default for LimitSettings {
    /// The values of the default file, for tests that build a server by hand.
    fn default() -> Self {
        Self {
            http_body_bytes_max: 1024 * 1024,
            grpc_message_bytes_max: 4 * 1024 * 1024,
            request_seconds_max: 30,
            drain_seconds_max: 20,
        }
    }
}

//! How to reach a NATS server, and what can be wrong with that.

use std::path::PathBuf;

use serde::Deserialize;

use crate::tls::TlsError;

/// How to reach the NATS servers. Give at most one of: user and password, an nkey seed file, a credentials file.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsSettings {
    /// One or more addresses, separated by commas: `nats://host:4222` or `tls://host:4222`.
    pub url: String,
    /// The user, with `password`.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// A file that holds an nkey seed.
    pub nkey_seed_file: Option<PathBuf>,
    /// A credentials file as `nsc` writes it.
    pub credentials_file: Option<PathBuf>,
    /// A file of certificates (PEM) that may sign the server's; its presence makes TLS required.
    pub authority: Option<PathBuf>,
    /// Our own certificate (PEM), for mutual TLS, with `key`.
    pub certificate: Option<PathBuf>,
    /// The private key (PEM) of our certificate.
    pub key: Option<PathBuf>,
    /// Copies that the servers keep of each stream: 1, 3 or 5.
    pub replicas: usize,
}

impl Default for NatsSettings {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            user: None,
            password: None,
            nkey_seed_file: None,
            credentials_file: None,
            authority: None,
            certificate: None,
            key: None,
            replicas: 1,
        }
    }
}

impl std::fmt::Debug for NatsSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Addresses may hold a password too.
        formatter.debug_struct("NatsSettings").field("replicas", &self.replicas).finish_non_exhaustive()
    }
}

/// Why the bus cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Settings that contradict each other or lack a part.
    #[error("the bus settings are wrong: {reason}")]
    Settings {
        /// What to change.
        reason: &'static str,
    },
    /// A file that the settings name.
    #[error("the bus settings name {path}, which cannot be read: check the path and its permissions")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate, its key or an authority.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file that should hold a seed and does not.
    #[error("the file {path} holds no nkey seed of a user: it is one line that begins with SU")]
    Seed {
        /// The file.
        path: PathBuf,
    },
    /// The client did not start.
    #[error("the NATS client did not start: check the address and the TLS files")]
    Connect {
        /// What the client said.
        source: async_nats::ConnectError,
    },
    /// A subject of settlements or advisories could not be subscribed to.
    #[error("the NATS client refused a subscription: check that the address is right and the client was not closed")]
    Subscribe {
        /// What the client said.
        source: async_nats::SubscribeError,
    },
}

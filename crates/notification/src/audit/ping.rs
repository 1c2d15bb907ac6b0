//! The dead-man address: somebody outside who raises the alarm when it is not called. Nothing is said to it but that.

use std::time::Duration;

use reqwest::Client;
use tracing::warn;
use url::Url;

use crate::config::AuditorConfig;
use crate::tls::{TlsError, client};

/// How long a call may take in all.
const CALL_TIME: Duration = Duration::from_secs(10);

/// Why it cannot be called.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PingError {
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP client.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
    /// The address.
    #[error("notification.auditor.ping_url must be a URL")]
    Url,
}

/// The address, ready to be called.
pub(crate) struct Ping {
    client: Client,
    url: Url,
}

impl Ping {
    /// None when no address is set.
    pub(crate) fn new(config: &AuditorConfig) -> Result<Option<Self>, PingError> {
        let Some(given) = &config.ping_url else { return Ok(None) };
        let url = Url::parse(given.expose()).map_err(|_| PingError::Url)?;
        let client = Client::builder()
            .tls_backend_preconfigured(client("notification.auditor", None)?)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(CALL_TIME)
            .build()
            .map_err(PingError::Client)?;
        Ok(Some(Self { client, url }))
    }

    /// Calls it. That nobody answers is only logged: whoever should have heard it raises the alarm.
    pub(crate) async fn send(&self) {
        match self.client.get(self.url.clone()).send().await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => warn!(status = answer.status().as_u16(), "the dead-man address refuses the auditor's call"),
            // The address itself is a secret.
            Err(error) => warn!(reason = %error.without_url(), "the dead-man address does not answer the auditor"),
        }
    }
}

//! One attempt to hand a text message to a gateway.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};

use super::{Outcome, generic, kannel};
use crate::config::{GatewayConfig, GatewayKind, SmsConfig};
use crate::tls::client;

use super::webhook::WebhooksError;

/// The most bytes of a gateway's answer that are read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A text message to one number.
pub(crate) struct SmsMessage<'a> {
    /// E.164.
    pub(crate) to: &'a str,
    /// One segment.
    pub(crate) text: &'a str,
    /// Our id, which the gateway gives back.
    pub(crate) id: &'a str,
    /// Where the gateway tells what became of it.
    pub(crate) receipt_url: &'a str,
}

/// The gateways as all attempts share them.
#[derive(Debug, Clone)]
pub(crate) struct Gateways {
    client: Client,
    gateways: Arc<[GatewayConfig]>,
}

impl Gateways {
    pub(crate) fn new(config: &SmsConfig) -> Result<Self, WebhooksError> {
        let client = Client::builder()
            .tls_backend_preconfigured(client("notification.sms", None)?)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .timeout(Duration::from_secs(config.answer_seconds.into()))
            .build()
            .map_err(WebhooksError::Client)?;
        Ok(Self { client, gateways: config.gateways.clone().into() })
    }

    /// The gateway of an attempt: each further attempt asks the next one.
    pub(crate) fn gateway_for(&self, attempts: i32) -> Option<&GatewayConfig> {
        let turn = usize::try_from(attempts).unwrap_or(0);
        self.gateways.get(turn.checked_rem(self.gateways.len())?)
    }

    /// Whether there is a gateway of this name.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.gateways.iter().any(|gateway| gateway.name == name)
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, gateway: &GatewayConfig, message: &SmsMessage<'_>) -> Outcome {
        let answered = match gateway.kind {
            GatewayKind::Kannel => match kannel::request_url(gateway, message) {
                Some(url) => read(self.client.get(url)).await,
                None => return Outcome::temporary("gateway_misconfigured"),
            },
            GatewayKind::Generic => match self.generic_request(gateway, message) {
                Some(request) => read(request).await,
                None => return Outcome::temporary("gateway_misconfigured"),
            },
        };
        match (answered, gateway.kind) {
            (Ok((status, answer)), GatewayKind::Kannel) => kannel::judge(status, &answer),
            (Ok((status, answer)), GatewayKind::Generic) => generic::judge(gateway, status, &answer),
            (Err(error), _) => not_answered(&error),
        }
    }

    fn generic_request(&self, gateway: &GatewayConfig, message: &SmsMessage<'_>) -> Option<reqwest::RequestBuilder> {
        let method = gateway.method.as_deref().unwrap_or("POST");
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        let mut request = self.client.request(method, &gateway.url);
        if !gateway.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
            request = request.header(reqwest::header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in &gateway.headers {
            request = request.header(name, value.expose());
        }
        Some(request.body(generic::body(gateway.body.as_deref()?, message)))
    }
}

/// Status and the beginning of the answer.
async fn read(request: reqwest::RequestBuilder) -> Result<(StatusCode, String), reqwest::Error> {
    let mut response = request.send().await?;
    let status = response.status();
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        answer.extend_from_slice(&chunk);
        if answer.len() > ANSWER_BYTES_MAX {
            answer.truncate(ANSWER_BYTES_MAX);
            break;
        }
    }
    Ok((status, String::from_utf8_lossy(&answer).into_owned()))
}

/// A request that broke on the line may have been taken; a repeat is possible then, silence is not.
fn not_answered(error: &reqwest::Error) -> Outcome {
    Outcome::temporary(if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect_failed"
    } else {
        "connection_broken"
    })
}

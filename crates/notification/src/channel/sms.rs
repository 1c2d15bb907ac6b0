//! One attempt to hand a text message to a gateway.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};

use super::{Outcome, africas_talking, generic, kannel, twilio, vonage};
use crate::config::{GatewayConfig, GatewayKind, SmsConfig};
use crate::tls::client;

use super::tally::{Seen, Tally};
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
    /// Where the gateway tells what became of it; empty when nobody asks.
    pub(crate) receipt_url: &'a str,
}

/// The gateways as all attempts share them.
#[derive(Debug, Clone)]
pub(crate) struct Gateways {
    client: Client,
    configured: Arc<[GatewayConfig]>,
    /// One for each gateway, in the same order.
    tallies: Arc<[Tally]>,
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
        let tallies = config.gateways.iter().map(|_| Tally::default()).collect();
        Ok(Self { client, configured: config.gateways.clone().into(), tallies })
    }

    /// All of them, in the order in which they are tried.
    pub(crate) fn all(&self) -> &[GatewayConfig] {
        &self.configured
    }

    /// The gateway of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&GatewayConfig> {
        self.configured.iter().find(|gateway| gateway.name == name)
    }

    /// Each with what this process has seen of it.
    pub(crate) fn standing(&self) -> impl Iterator<Item = (&GatewayConfig, Seen)> {
        self.configured.iter().zip(self.tallies.iter().map(Tally::seen))
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, gateway: &GatewayConfig, message: &SmsMessage<'_>) -> Outcome {
        let place = self.configured.iter().position(|known| known.name == gateway.name);
        let tally = place.and_then(|place| self.tallies.get(place));
        let _flight = tally.map(Tally::begin);
        let outcome = self.attempt(gateway, message).await;
        if let Some(tally) = tally {
            tally.note(&outcome);
        }
        outcome
    }

    async fn attempt(&self, gateway: &GatewayConfig, message: &SmsMessage<'_>) -> Outcome {
        let request = match gateway.kind {
            GatewayKind::Kannel => kannel::request_url(gateway, message).map(|url| self.client.get(url)),
            GatewayKind::Twilio => twilio::request(&self.client, gateway, message),
            GatewayKind::Vonage => vonage::request(&self.client, gateway, message),
            GatewayKind::AfricasTalking => africas_talking::request(&self.client, gateway, message),
            GatewayKind::Generic => self.generic_request(gateway, message),
        };
        let Some(request) = request else { return Outcome::temporary("gateway_misconfigured") };
        let (status, answer) = match read(request).await {
            Ok(answered) => answered,
            Err(error) => return not_answered(&error),
        };
        match gateway.kind {
            GatewayKind::Kannel => kannel::judge(status, &answer),
            GatewayKind::Twilio => twilio::judge(status, &answer),
            GatewayKind::Vonage => vonage::judge(status, &answer),
            GatewayKind::AfricasTalking => africas_talking::judge(status, &answer),
            GatewayKind::Generic => generic::judge(gateway, status, &answer),
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
    Outcome::temporary(if error.is_connect() {
        // Also one that took too long: nothing was sent.
        "connect_failed"
    } else if error.is_builder() {
        "gateway_misconfigured"
    } else if error.is_timeout() {
        "timeout"
    } else {
        "connection_broken"
    })
}

//! One attempt to post a webhook: signed, bounded in time and size, over a kept connection where there is one, never
//! following a redirect.

mod answer;
mod connection;
mod dial;
mod kept;
mod network;
mod pause;
mod resolver;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use tocsin_domain::notice::NoticeState;

use super::guard::WebhookUrl;
use super::signature::WebhookKeys;
use super::{Attempted, Outcome, Pace};
use crate::config::WebhookConfig;
use crate::tls::{TlsError, client};
use answer::{Answer, excerpt};
use connection::{Connection, ExchangeError};
use dial::{DialError, Dialer};
use kept::{Kept, KeptLimits};
pub(crate) use network::{Network, SystemNetwork};
use pause::{Pauses, retry_after_seconds};
use resolver::Resolver;

/// A refusal other than "too much" or "too early" is believed after this many attempts.
const REFUSAL_TRIES: i32 = 3;
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Why webhooks could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhooksError {
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP client.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

/// What is posted.
pub(crate) struct WebhookPost<'a> {
    /// `webhook-id`, the same over retries.
    pub(crate) id: &'a str,
    /// `webhook-timestamp`, new each attempt.
    pub(crate) timestamp_seconds: i64,
    /// The JSON.
    pub(crate) body: Bytes,
}

/// The client for webhooks, shared by all attempts so that connections are kept warm.
#[derive(Debug)]
pub(crate) struct Webhooks {
    dialer: Dialer,
    kept: Kept,
    pauses: Pauses,
    total: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("not_a_request")]
    Request(#[from] hyper::http::Error),
}

impl Webhooks {
    /// Sets the client up; `network` is this machine's own except in tests.
    pub(crate) fn new(config: &WebhookConfig, network: Arc<dyn Network>) -> Result<Self, WebhooksError> {
        let mut tls = client("notification.webhook.extra_authority", config.extra_authority.as_deref())?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let resolver = Resolver::new(config.connect_to.clone(), Arc::clone(&network));
        let connect = Duration::from_secs(config.connect_seconds.into());
        let limits = KeptLimits {
            a_host: config.in_flight_max + 1,
            in_all: config.idle_connections_max,
            idle: Duration::from_secs(config.idle_seconds.into()),
        };
        Ok(Self {
            dialer: Dialer::new(resolver, network, Arc::new(tls), connect),
            kept: Kept::new(limits),
            pauses: Pauses::default(),
            total: Duration::from_secs(config.total_seconds.into()),
        })
    }

    /// For how many seconds the host of this webhook asked to be left alone.
    pub(crate) fn pause_seconds(&self, to: &WebhookUrl) -> Option<u32> {
        self.pauses.left_seconds(to.destination())
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, to: &WebhookUrl, keys: &WebhookKeys, post: WebhookPost<'_>) -> Attempted {
        let signature = keys.sign(post.id, post.timestamp_seconds, &post.body);
        match tokio::time::timeout(self.total, self.exchange(to, &signature, &post)).await {
            Ok(Ok(answer)) => self.judge_answer(to, &answer, &post),
            Ok(Err(error)) => Outcome::temporary(error.to_string()).into(),
            Err(_elapsed) => Outcome::temporary("timeout").into(),
        }
    }

    fn judge_answer(&self, to: &WebhookUrl, answer: &Answer, post: &WebhookPost<'_>) -> Attempted {
        let now = DateTime::from_timestamp(post.timestamp_seconds, 0).unwrap_or_default();
        let asked = answer.retry_after.as_deref().and_then(|given| retry_after_seconds(given, now));
        let outcome = judge(answer.status, asked);
        match &outcome {
            Outcome::Taken { .. } => {
                self.pauses.forget(to.destination());
                return outcome.into();
            }
            Outcome::Temporary { throttled: true, retry_after_seconds: Some(seconds), .. } => {
                self.pauses.note(to.destination(), *seconds);
            }
            _ => {}
        }
        Attempted { outcome, answer: excerpt(&answer.body, &post.body), gateway: None }
    }

    async fn exchange(&self, to: &WebhookUrl, signature: &str, post: &WebhookPost<'_>) -> Result<Answer, SendError> {
        if let Some(connection) = self.kept.take(to.destination()) {
            match self.exchange_over(connection, to, request(to, signature, post)?).await {
                // It was closed at the very moment in which we used it. If the request was taken all the same, its id
                // tells the receiver so.
                Err(ExchangeError::Closed) => {}
                answered => return Ok(answered?),
            }
        }
        let stream = self.dialer.dial(to).await?;
        let connection = Connection::over(stream).await.map_err(|error| ExchangeError::of_head(&error))?;
        Ok(self.exchange_over(connection, to, request(to, signature, post)?).await?)
    }

    async fn exchange_over(
        &self,
        mut connection: Connection,
        to: &WebhookUrl,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, ExchangeError> {
        let answer = connection.exchange(request).await?;
        if answer.whole {
            self.kept.keep(to.destination(), connection);
        }
        Ok(answer)
    }
}

fn request(
    to: &WebhookUrl,
    signature: &str,
    post: &WebhookPost<'_>,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    Request::builder()
        .method(Method::POST)
        .uri(to.target().clone())
        .header(HOST, to.authority())
        .header(USER_AGENT, HeaderValue::from_static("tocsin/0.1"))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(WEBHOOK_ID, post.id)
        .header(WEBHOOK_TIMESTAMP, HeaderValue::from(post.timestamp_seconds))
        .header(WEBHOOK_SIGNATURE, signature)
        .body(Full::new(post.body.clone()))
}

fn judge(status: StatusCode, retry_after_seconds: Option<u32>) -> Outcome {
    let code = format!("http_{}", status.as_u16());
    match status.as_u16() {
        200..=299 => Outcome::taken(NoticeState::Delivered, code),
        410 => Outcome::Gone { code },
        429 | 502 | 504 => Outcome::Temporary { code, pace: Pace::Lane, retry_after_seconds, throttled: true },
        408 | 425 | 500..=599 => Outcome::Temporary { code, pace: Pace::Lane, retry_after_seconds, throttled: false },
        // A redirect is a change that the member must make known to us, so it is not followed.
        300..=399 => Outcome::Refused { code, tries: 1 },
        _ => Outcome::Refused { code, tries: REFUSAL_TRIES },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_meaning() {
        check(200, "delivered");
        check(204, "delivered");
        check(301, "refused after 1");
        check(307, "refused after 1");
        check(400, "refused after 3");
        check(404, "refused after 3");
        check(408, "later");
        check(410, "gone");
        check(425, "later");
        check(429, "throttled");
        check(500, "later");
        check(502, "throttled");
        check(503, "later");
        check(504, "throttled");
    }

    fn check(status: u16, expected: &str) {
        let shown = match judge(StatusCode::from_u16(status).unwrap(), Some(7)) {
            Outcome::Taken { state, .. } => state.as_str().to_owned(),
            Outcome::Temporary { throttled: true, retry_after_seconds: Some(7), .. } => "throttled".to_owned(),
            Outcome::Temporary { .. } => "later".to_owned(),
            Outcome::Refused { tries, .. } => format!("refused after {tries}"),
            Outcome::Gone { .. } => "gone".to_owned(),
            Outcome::Withheld { .. } | Outcome::Postponed { .. } => "not judged".to_owned(),
        };
        assert_eq!(shown, expected, "{status}");
    }
}

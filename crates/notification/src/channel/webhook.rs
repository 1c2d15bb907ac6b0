//! One attempt to post a webhook: signed, bounded in time and size, never following a redirect.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use tocsin_domain::notice::NoticeState;

use super::guard::WebhookUrl;
use super::resolver::GuardedResolver;
use super::signature::WebhookSecret;
use super::{Outcome, Pace};
use crate::config::WebhookConfig;
use crate::tls::{TlsError, client};

/// The most bytes of an answer that are read; the rest is left on the line and the connection with it.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// A refusal other than "too much" or "too early" is believed after this many attempts.
const REFUSAL_TRIES: i32 = 3;

/// Why webhooks could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhooksError {
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP client.
    #[error("the HTTP client for webhooks could not be made")]
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
#[derive(Debug, Clone)]
pub(crate) struct Webhooks {
    client: Client,
}

impl Webhooks {
    pub(crate) fn new(config: &WebhookConfig) -> Result<Self, WebhooksError> {
        let tls = client("notification.webhook.extra_authority", config.extra_authority.as_deref())?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tcp_nodelay(true)
            .user_agent("tocsin/0.1")
            .dns_resolver(GuardedResolver::new(config.connect_to.clone()))
            .connect_timeout(Duration::from_secs(config.connect_seconds.into()))
            .timeout(Duration::from_secs(config.total_seconds.into()))
            .pool_max_idle_per_host(config.in_flight_max + 1)
            .build()
            .map_err(WebhooksError::Client)?;
        Ok(Self { client })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, to: &WebhookUrl, secret: &WebhookSecret, post: WebhookPost<'_>) -> Outcome {
        let signature = secret.sign(post.id, post.timestamp_seconds, &post.body);
        let request = self
            .client
            .post(to.as_url().clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", post.id)
            .header("webhook-timestamp", post.timestamp_seconds.to_string())
            .header("webhook-signature", signature)
            .body(post.body);
        match request.send().await {
            Ok(response) => {
                let outcome = judge(response.status(), retry_after(&response));
                match read_answer(response).await {
                    Ok(()) => outcome,
                    // A success whose body never ends is not known to be one.
                    Err(error) => Outcome::temporary(code_of(&error)),
                }
            }
            Err(error) => Outcome::temporary(code_of(&error)),
        }
    }
}

/// Reads the answer to its end or to the limit, so that the connection can be used again.
async fn read_answer(mut response: Response) -> Result<(), reqwest::Error> {
    let mut read = 0;
    while let Some(chunk) = response.chunk().await? {
        read += chunk.len();
        if read > ANSWER_BYTES_MAX {
            break;
        }
    }
    Ok(())
}

fn retry_after(response: &Response) -> Option<u32> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
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

fn code_of(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_dns() {
        "name_refused"
    } else if error.is_connect() {
        "connect_failed"
    } else {
        "connection_broken"
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
            Outcome::Withheld { .. } => "withheld".to_owned(),
        };
        assert_eq!(shown, expected, "{status}");
    }
}

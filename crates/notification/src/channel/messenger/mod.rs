//! Signal and Matrix by their HTTP gateways. Best effort: what a gateway asks of a person (a captcha, a new login) is
//! told to the operator when it begins and when it ends.

mod matrix;
mod signal;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use tocsin_domain::channel::Channel;

use super::tally::{Seen, Tally};
use super::webhook::WebhooksError;
use super::{Outcome, Pace};
use crate::config::{MatrixConfig, SignalConfig};
use crate::tls::client;

/// The most bytes of a gateway's answer that are read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A message to one person or room.
pub(crate) struct ChatMessage<'a> {
    /// A number, a user name, or a room.
    pub(crate) to: &'a str,
    pub(crate) text: &'a str,
    /// The notice, the same over retries.
    pub(crate) id: &'a str,
}

/// Why a gateway does not take messages until a person acts or time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Captcha,
    RateLimited,
    LoggedOut,
}

impl Trouble {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Captcha => "captcha",
            Self::RateLimited => "rate_limited",
            Self::LoggedOut => "logged_out",
        }
    }

    /// What to do about it.
    const fn advice(self) -> &'static str {
        match self {
            Self::Captcha => "a messenger's gateway asks for a captcha: solve it with the gateway's own tools",
            Self::RateLimited => "a messenger's gateway takes fewer messages for now; they are sent more slowly",
            Self::LoggedOut => {
                "a messenger's gateway does not know our account any more: log in again and set the token"
            }
        }
    }
}

/// A judged answer.
struct Judged {
    outcome: Outcome,
    trouble: Option<Trouble>,
}

impl Judged {
    /// The gateway cannot take it now, for a reason that people should know.
    fn later(code: &str, trouble: Trouble, retry_after_seconds: Option<u32>) -> Self {
        let outcome =
            Outcome::Temporary { code: code.to_owned(), pace: Pace::Lane, retry_after_seconds, throttled: true };
        Self { outcome, trouble: Some(trouble) }
    }
}

impl From<Outcome> for Judged {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, trouble: None }
    }
}

/// An answer as it was read.
struct Answer {
    status: StatusCode,
    retry_after_seconds: Option<u32>,
    body: serde_json::Value,
}

impl Answer {
    /// A text of the answer's JSON object; empty when absent.
    fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
    }
}

/// Both gateways as all attempts share them.
#[derive(Debug)]
pub(crate) struct Messengers {
    client: Client,
    signal: SignalConfig,
    matrix: MatrixConfig,
    signal_trouble: Mutex<Option<Trouble>>,
    matrix_trouble: Mutex<Option<Trouble>>,
    signal_tally: Tally,
    matrix_tally: Tally,
}

impl Messengers {
    pub(crate) fn new(signal: &SignalConfig, matrix: &MatrixConfig) -> Result<Self, WebhooksError> {
        let client = Client::builder()
            .tls_backend_preconfigured(client("notification.signal", None)?)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .build()
            .map_err(WebhooksError::Client)?;
        Ok(Self {
            client,
            signal: signal.clone(),
            matrix: matrix.clone(),
            signal_trouble: Mutex::default(),
            matrix_trouble: Mutex::default(),
            signal_tally: Tally::default(),
            matrix_tally: Tally::default(),
        })
    }

    /// Those that the settings name, each with its trouble and what this process has seen of it.
    pub(crate) fn standing(&self) -> Vec<(Channel, Option<&'static str>, Seen)> {
        let trouble = |known: &Mutex<Option<Trouble>>| *known.lock().unwrap_or_else(PoisonError::into_inner);
        let both = [
            (Channel::Signal, &self.signal.url, &self.signal_trouble, &self.signal_tally),
            (Channel::Matrix, &self.matrix.url, &self.matrix_trouble, &self.matrix_tally),
        ];
        both.into_iter()
            .filter(|(_, url, ..)| !url.is_empty())
            .map(|(channel, _, known, tally)| (channel, trouble(known).map(Trouble::as_str), tally.seen()))
            .collect()
    }

    /// Makes one attempt; `channel` is one of the two.
    pub(crate) async fn send(&self, channel: Channel, message: &ChatMessage<'_>) -> Outcome {
        let tally = if channel == Channel::Matrix { &self.matrix_tally } else { &self.signal_tally };
        let _flight = tally.begin();
        let outcome = self.attempt(channel, message).await;
        tally.note(&outcome);
        outcome
    }

    async fn attempt(&self, channel: Channel, message: &ChatMessage<'_>) -> Outcome {
        let is_matrix = channel == Channel::Matrix;
        let (request, seconds) = if is_matrix {
            (matrix::request(&self.client, &self.matrix, message), self.matrix.answer_seconds)
        } else {
            (signal::request(&self.client, &self.signal, message), self.signal.answer_seconds)
        };
        let Some(request) = request else { return Outcome::temporary("no_gateway") };
        let answer = match answer(request.timeout(Duration::from_secs(seconds.into()))).await {
            Ok(answer) => answer,
            Err(error) if error.is_timeout() => return Outcome::temporary("timeout"),
            Err(error) if error.is_connect() => return Outcome::temporary("connect_failed"),
            Err(_) => return Outcome::temporary("connection_broken"),
        };
        let (judged, known) = if is_matrix {
            (matrix::judge(&answer), &self.matrix_trouble)
        } else {
            (signal::judge(&answer), &self.signal_trouble)
        };
        tell(channel, known, judged.trouble);
        judged.outcome
    }
}

/// Logs the beginning and the end of a trouble, and nothing in between.
fn tell(channel: Channel, known: &Mutex<Option<Trouble>>, now: Option<Trouble>) {
    let before = std::mem::replace(&mut *known.lock().unwrap_or_else(PoisonError::into_inner), now);
    match now {
        _ if before == now => {}
        Some(trouble) => tracing::warn!(channel = channel.as_str(), "{}", trouble.advice()),
        None => tracing::info!(channel = channel.as_str(), "a messenger's gateway takes messages again"),
    }
}

/// Status and the beginning of the answer; one that is no JSON counts as empty.
async fn answer(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let mut response = request.send().await?;
    let status = response.status();
    let retry_after = response.headers().get(reqwest::header::RETRY_AFTER);
    let retry_after_seconds = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            break;
        }
    }
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Answer { status, retry_after_seconds, body })
}

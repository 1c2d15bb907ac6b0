//! A gateway to Signal as signal-cli-rest-api looks to its clients: `POST /v2/send`, checked as its documentation says.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::log::Log;

/// One message as it was submitted.
#[derive(Debug, Clone)]
pub struct Signal {
    /// The number or user name that it goes to.
    pub to: String,
    /// The text.
    pub text: String,
}

/// A gateway on a free loopback port; it stops when dropped.
#[derive(Debug)]
pub struct SignalSink {
    address: SocketAddr,
    log: Log<Signal>,
    refusal: Refusal,
    task: JoinHandle<()>,
}

/// What is answered instead of taking a message.
type Refusal = Arc<Mutex<Option<(StatusCode, Value)>>>;

#[derive(Clone)]
struct Gateway {
    number: String,
    log: Log<Signal>,
    refusal: Refusal,
}

/// The body of `/v2/send`, as far as texts need it.
#[derive(Deserialize)]
struct Send {
    number: String,
    recipients: Vec<String>,
    message: String,
}

impl SignalSink {
    /// Starts it with one registered number.
    pub async fn start(number: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (log, refusal) = (Log::default(), Refusal::default());
        let gateway = Gateway { number: number.to_owned(), log: log.clone(), refusal: Arc::clone(&refusal) };
        let router = Router::new().route("/v2/send", post(send)).with_state(gateway);
        let task = tokio::spawn(async move {
            // The listener is ours and open, so serving ends only with the sink.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, log, refusal, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was submitted and taken.
    pub fn log(&self) -> &Log<Signal> {
        &self.log
    }

    /// From now on asks for a captcha, as after too many messages.
    pub fn ask_captcha(&self) {
        let body = json!({
            "error": "Failed to send message due to rate limiting",
            "challenge_tokens": ["00000000-0000-0000-0000-000000000000"],
            "account": "+440000000000",
        });
        self.refuse(Some((StatusCode::TOO_MANY_REQUESTS, body)));
    }

    /// Takes messages again.
    pub fn recover(&self) {
        self.refuse(None);
    }

    fn refuse(&self, refusal: Option<(StatusCode, Value)>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }
}

impl Drop for SignalSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send(State(gateway): State<Gateway>, Json(send): Json<Send>) -> (StatusCode, Json<Value>) {
    let bad = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error })));
    if send.number != gateway.number {
        return bad("Specified account does not exist");
    }
    let [to] = send.recipients.as_slice() else {
        return bad("Please provide one recipient");
    };
    if send.message.is_empty() {
        return bad("Couldn't process request - the message is empty");
    }
    if let Some((status, body)) = gateway.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone() {
        return (status, Json(body));
    }
    gateway.log.record(Signal { to: to.clone(), text: send.message });
    (StatusCode::CREATED, Json(json!({ "timestamp": "1780000000000" })))
}

//! An SMS gateway as Kannel's `sendsms` door looks to its clients: it accepts, then calls the receipt URL twice, first
//! for the carrier (8), then for the handset (1).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::log::Log;

/// One text message as it was submitted.
#[derive(Debug, Clone)]
pub struct Sms {
    /// The number it goes to.
    pub to: String,
    /// The text.
    pub text: String,
}

/// An SMS gateway on a free loopback port; it stops when dropped.
#[derive(Debug)]
pub struct SmsSink {
    address: SocketAddr,
    log: Log<Sms>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Gateway {
    log: Log<Sms>,
    receipts: reqwest::Client,
}

/// The parameters of `sendsms` that matter here; others, as the charset, are accepted and passed over.
#[derive(Deserialize)]
struct SendSms {
    #[serde(default)]
    username: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    text: String,
    #[serde(rename = "dlr-url")]
    receipt_url: Option<String>,
}

impl SmsSink {
    /// Starts it.
    pub async fn start() -> io::Result<Self> {
        Self::with_receipts_by(reqwest::Client::builder()).await
    }

    /// Starts it; its receipts trust the authority of this PEM text alone.
    pub async fn start_trusting(authority: &[u8]) -> io::Result<Self> {
        let authority = reqwest::Certificate::from_pem(authority).map_err(io::Error::other)?;
        Self::with_receipts_by(reqwest::Client::builder().tls_certs_only([authority])).await
    }

    async fn with_receipts_by(client: reqwest::ClientBuilder) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let log = Log::default();
        let receipts = client.no_proxy().build().map_err(io::Error::other)?;
        let gateway = Gateway { log: log.clone(), receipts };
        let router = Router::new().route("/cgi-bin/sendsms", get(send)).with_state(gateway);
        let task = tokio::spawn(async move {
            // The listener is ours and open, so serving ends only with the sink.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, log, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was submitted.
    pub fn log(&self) -> &Log<Sms> {
        &self.log
    }
}

impl Drop for SmsSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send(State(gateway): State<Gateway>, Query(request): Query<SendSms>) -> (StatusCode, &'static str) {
    if request.username.is_empty() {
        return (StatusCode::FORBIDDEN, "Authorization failed for sendsms");
    }
    if request.to.is_empty() || request.text.is_empty() {
        return (StatusCode::BAD_REQUEST, "Missing receiver number or text, rejected");
    }
    gateway.log.record(Sms { to: request.to, text: request.text });
    if let Some(template) = request.receipt_url {
        tokio::spawn(async move {
            for kind in ["8", "1"] {
                // A sender that does not listen for receipts loses only them, as with a real gateway.
                let _ = gateway.receipts.get(template.replace("%d", kind)).send().await;
            }
        });
    }
    (StatusCode::ACCEPTED, "0: Accepted for delivery")
}

//! A webhook receiver: it answers 204 to every POST and keeps headers and body.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::log::Log;

/// One POST as it arrived.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The host it was sent to, from the `Host` header.
    pub host: String,
    /// The path.
    pub path: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A webhook receiver on a free loopback port; it stops when dropped.
#[derive(Debug)]
pub struct WebhookSink {
    address: SocketAddr,
    log: Log<Webhook>,
    task: JoinHandle<()>,
}

/// The largest body read, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

impl WebhookSink {
    /// Starts it, with TLS when settings are given. `answer_delay` passes before each answer.
    pub async fn start(tls: Option<Arc<ServerConfig>>, answer_delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let log = Log::default();
        let accepted = log.clone();
        let acceptor = tls.map(TlsAcceptor::from);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Without it each small answer would wait for a delayed acknowledgement.
                let _ = stream.set_nodelay(true);
                let (log, acceptor) = (accepted.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, log, answer_delay).await;
                            }
                        }
                        None => serve(stream, log, answer_delay).await,
                    }
                });
            }
        });
        Ok(Self { address, log, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What arrived.
    pub fn log(&self) -> &Log<Webhook> {
        &self.log
    }
}

impl Drop for WebhookSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    log: Log<Webhook>,
    answer_delay: Duration,
) {
    let service = service_fn(move |request| answer(request, log.clone(), answer_delay));
    // A client that closes its connection is no error of ours.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    log: Log<Webhook>,
    answer_delay: Duration,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let status = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => {
            let host = parts.headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            log.record(Webhook {
                host,
                path: parts.uri.path().to_owned(),
                headers: parts.headers,
                body: body.to_bytes(),
            });
            StatusCode::NO_CONTENT
        }
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
    };
    if !answer_delay.is_zero() {
        tokio::time::sleep(answer_delay).await;
    }
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    Ok(response)
}

//! One HTTP/1.1 connection. Whoever exchanges a request over it also drives it, in the same task: nobody is woken for
//! somebody else, and dropping it closes it at once, whatever was in flight.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{Either, select};
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http1::{Builder, Connection as Driver, SendRequest};
use hyper_util::rt::TokioIo;

use super::answer::{Answer, read};
use super::dial::Duplex;

/// The most bytes of an answer's head; more is refused.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The most headers of an answer.
const HEADERS_MAX: usize = 64;

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// The connection was gone before a byte of an answer came.
    #[error("connection_closed")]
    Closed,
    /// What came is no HTTP answer that we take.
    #[error("answer_malformed")]
    Malformed,
    /// It broke later.
    #[error("connection_broken")]
    Broken,
}

impl ExchangeError {
    pub(super) fn of_head(error: &hyper::Error) -> Self {
        if error.is_parse() || error.is_parse_too_large() { Self::Malformed } else { Self::Closed }
    }
}

/// A connection that can be kept.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver<TokioIo<Box<dyn Duplex>>, Full<Bytes>>,
    opened_at: Instant,
    idle_since: Instant,
    ended: bool,
}

impl Connection {
    /// Speaks HTTP/1.1 over a fresh stream. Nothing is sent yet.
    pub(super) async fn over(stream: Box<dyn Duplex>) -> Result<Self, hyper::Error> {
        let mut builder = Builder::new();
        // Head and body in one write, and so in one TLS record.
        builder.writev(false).max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await?;
        let now = Instant::now();
        Ok(Self { sender, driver, opened_at: now, idle_since: now, ended: false })
    }

    /// Sends one request and reads its answer to the end or to the limit.
    pub(super) async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, ExchangeError> {
        let talk = std::pin::pin!(read(self.sender.send_request(request)));
        match select(talk, &mut self.driver).await {
            Either::Left((answer, _)) => answer,
            // The other side closed, perhaps right after a whole answer.
            Either::Right((_, talk)) => {
                self.ended = true;
                talk.await
            }
        }
    }

    /// Looks, without waiting, whether it is at rest and the other side has not closed it or said anything unasked.
    pub(super) fn is_at_rest(&mut self) -> bool {
        if !self.ended && (&mut self.driver).now_or_never().is_some() {
            self.ended = true;
        }
        !self.ended && self.sender.is_ready()
    }

    pub(super) fn rest(&mut self) {
        self.idle_since = Instant::now();
    }

    /// Whether it has been kept too long, without use or in all.
    pub(super) fn is_old(&self, idle_max: Duration, age_max: Duration) -> bool {
        self.idle_since.elapsed() >= idle_max || self.opened_at.elapsed() >= age_max
    }
}

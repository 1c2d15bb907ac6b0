//! A webhook receiver for load: it keeps when and for which host it answered, and answers each host in the way that a
//! scenario wants, well or badly.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tocsin_sinks::Log;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Between two bytes of a host that drips.
const DRIP: Duration = Duration::from_secs(1);
/// What a host that never ends sends at once, in bytes.
const FLOOD: usize = 8 * 1024;
/// Where notices of the bulk lane are posted; everything else counts as urgent.
pub(crate) const BULK_PATH: &str = "/bulk";

/// How a host answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// With 204, after this time.
    Well(Duration),
    /// Never.
    Hung,
    /// With 200 and one byte a second.
    Dripping,
    /// With 200 and a body that does not end.
    Endless,
    /// By resetting the connection.
    Reset,
    /// With 429.
    Throttled,
    /// With 500.
    Broken,
}

/// What was posted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Post {
    /// The number of the host; 0 when it is none of ours.
    pub(crate) host: usize,
    pub(crate) is_bulk: bool,
}

type Ways = Arc<dyn Fn(Post) -> Way + Send + Sync>;
type Body = BoxBody<Bytes, Infallible>;

/// The receiver's share that every connection has.
#[derive(Clone)]
struct Desk {
    ways: Arc<RwLock<Ways>>,
    urgent: Log<usize>,
    bulk: Log<usize>,
    sample: Arc<OnceLock<Bytes>>,
}

/// A webhook receiver on a free loopback port; it stops when dropped.
pub(crate) struct Hooks {
    pub(crate) address: SocketAddr,
    desk: Desk,
    task: JoinHandle<()>,
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hooks {
    /// Starts it with these TLS settings; every host answers at once.
    pub(crate) async fn start(tls: Arc<ServerConfig>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let at_once: Ways = Arc::new(|_| Way::Well(Duration::ZERO));
        let desk = Desk {
            ways: Arc::new(RwLock::new(at_once)),
            urgent: Log::default(),
            bulk: Log::default(),
            sample: Arc::default(),
        };
        let (acceptor, shared) = (TlsAcceptor::from(tls), desk.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Without it each small answer would wait for a delayed acknowledgement.
                let _ = stream.set_nodelay(true);
                let (acceptor, desk) = (acceptor.clone(), shared.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let (socket, session) = stream.get_ref();
                    if desk.way(Post { host: host_number(session.server_name().unwrap_or_default()), is_bulk: false })
                        == Way::Reset
                    {
                        // What is closed then is reset.
                        let _ = socket.set_zero_linger();
                    }
                    let service = service_fn(move |request| answer(request, desk.clone()));
                    // A client that closes its connection is no error of ours.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self { address, desk, task })
    }

    /// From now on posts are answered in this way.
    pub(crate) fn answer(&self, way: impl Fn(Post) -> Way + Send + Sync + 'static) {
        *self.desk.ways.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(way);
    }

    /// The hosts that answered an urgent notice well, each with the moment of its answer.
    pub(crate) fn urgent(&self) -> &Log<usize> {
        &self.desk.urgent
    }

    /// The same for notices of the bulk lane.
    pub(crate) fn bulk(&self) -> &Log<usize> {
        &self.desk.bulk
    }

    /// The first body that was posted here.
    pub(crate) fn sample(&self) -> Bytes {
        self.desk.sample.get().cloned().unwrap_or_default()
    }
}

impl Desk {
    fn way(&self, post: Post) -> Way {
        let ways = Arc::clone(&self.ways.read().unwrap_or_else(PoisonError::into_inner));
        ways(post)
    }
}

/// The number in `hooks.org-00017.example`; 0 for another name.
fn host_number(host: &str) -> usize {
    let digits = host.strip_prefix("hooks.org-").and_then(|rest| rest.split('.').next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// The connection is closed instead of an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

async fn answer(request: Request<Incoming>, desk: Desk) -> Result<Response<Body>, Closed> {
    let (parts, body) = request.into_parts();
    let host = parts.headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let post = Post { host: host_number(host), is_bulk: parts.uri.path().starts_with(BULK_PATH) };
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    // Only the first one is kept.
    let _ = desk.sample.set(body);
    let status = match desk.way(post) {
        Way::Well(delay) => {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let log = if post.is_bulk { &desk.bulk } else { &desk.urgent };
            log.record(post.host);
            StatusCode::NO_CONTENT
        }
        Way::Hung => std::future::pending().await,
        Way::Dripping => return Ok(Response::new(drip())),
        Way::Endless => return Ok(Response::new(flood())),
        Way::Reset => return Err(Closed),
        Way::Throttled => StatusCode::TOO_MANY_REQUESTS,
        Way::Broken => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = Response::new(BoxBody::new(Empty::new()));
    *response.status_mut() = status;
    Ok(response)
}

fn drip() -> Body {
    let drops = stream::repeat(()).then(|()| async {
        tokio::time::sleep(DRIP).await;
        Ok(Frame::data(Bytes::from_static(b".")))
    });
    BoxBody::new(StreamBody::new(drops))
}

fn flood() -> Body {
    let wave = Bytes::from(vec![b'.'; FLOOD]);
    BoxBody::new(StreamBody::new(stream::repeat_with(move || Ok(Frame::data(wave.clone())))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart_by_their_number() {
        assert_eq!(host_number("hooks.org-00017.example"), 17);
        assert_eq!(host_number("hooks.org-00300.example:443"), 300);
        assert_eq!(host_number("127.0.0.1:443"), 0);
    }
}

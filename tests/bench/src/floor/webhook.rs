//! A bare hyper client that posts bodies over kept connections, one connection for each destination.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::future::try_join_all;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::statistics::rate;

/// Kept connections to one receiver.
pub(crate) struct BareClient {
    senders: Vec<SendRequest<Full<Bytes>>>,
}

impl BareClient {
    /// Opens one TLS connection for each destination, under the receiver's own authority.
    pub(crate) async fn connect(address: SocketAddr, authority_pem: &str, connections: usize) -> Result<Self> {
        let connector = connector(authority_pem)?;
        let senders = try_join_all((1..=connections).map(|number| {
            let connector = connector.clone();
            async move {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let name = ServerName::try_from(format!("hooks.org-{number:05}.example"))?;
                let stream = connector.connect(name, stream).await?;
                let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                anyhow::Ok(sender)
            }
        }))
        .await?;
        Ok(Self { senders })
    }

    /// Posts one body over each connection at once and returns the time to the last answer.
    pub(crate) async fn post_all(&mut self, bodies: &[Bytes]) -> Result<Duration> {
        let started = Instant::now();
        try_join_all(self.senders.iter_mut().zip(bodies).map(|(sender, body)| post(sender, body.clone()))).await?;
        Ok(started.elapsed())
    }

    /// Posts a body so many times, each connection one after the other and in a task of its own, and returns posts a
    /// second.
    pub(crate) async fn sustain(&mut self, body: &Bytes, posts: usize) -> Result<f64> {
        let next = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let mut posting = JoinSet::new();
        for mut sender in self.senders.drain(..) {
            let (next, body) = (Arc::clone(&next), body.clone());
            posting.spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < posts {
                    post(&mut sender, body.clone()).await?;
                }
                anyhow::Ok(sender)
            });
        }
        while let Some(posted) = posting.join_next().await {
            self.senders.push(posted??);
        }
        Ok(rate(posts, started.elapsed()))
    }
}

fn connector(authority_pem: &str) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority_pem.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn post(sender: &mut SendRequest<Full<Bytes>>, body: Bytes) -> Result<()> {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/hook")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .body(Full::new(body))
        .context("the floor's request")?;
    // The answer before may have been read a moment before its connection knows that it is over.
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    anyhow::ensure!(answer.status().is_success(), "the receiver answered {}", answer.status());
    answer.into_body().collect().await?;
    Ok(())
}

//! Connections from one service to another: each takes the TLS configuration in force when it is made, and goes only to
//! who shows the callee's name.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Uri;

use crate::tls::{Reloading, SERVICE_PROTOCOL};

/// Connects to one service at one place.
#[derive(Clone)]
pub(super) struct ServiceConnector {
    /// Host and port of the place.
    pub(super) place: (String, u16),
    /// What the certificate shown there must name.
    pub(super) name: ServerName<'static>,
    /// The newest certificates of ours.
    pub(super) config: Reloading<ClientConfig>,
}

impl ServiceConnector {
    async fn connect(self) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect(self.place).await?;
        // Small questions must not wait for a delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let stream = TlsConnector::from(self.config.current()).connect(self.name, stream).await?;
        if stream.get_ref().1.alpn_protocol() != Some(SERVICE_PROTOCOL) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "what answers there speaks no gRPC"));
        }
        Ok(TokioIo::new(stream))
    }
}

impl tower::Service<Uri> for ServiceConnector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _place: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

//! Connections as they come in: accepted one after the other, shaken hands with side by side, so that a slow or silent
//! client holds up nobody else.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::sockets;
use crate::tls::{PeerName, Reloading};

/// Handshakes at once; more clients wait in the kernel's queue, none is refused.
const HANDSHAKES_MAX: usize = 1024;

/// The connections of a door. The socket closes when this is dropped.
pub(super) struct Incoming {
    listener: TcpListener,
    tls: Option<Reloading<ServerConfig>>,
    handshakes: JoinSet<Option<Connection>>,
}

impl Incoming {
    pub(super) fn new(listener: TcpListener, tls: Option<Reloading<ServerConfig>>) -> Self {
        Self { listener, tls, handshakes: JoinSet::new() }
    }

    /// As the server wants them.
    pub(super) fn into_stream(self) -> impl tokio_stream::Stream<Item = Result<Connection, Infallible>> {
        futures::stream::unfold(self, async |mut incoming| {
            let connection = incoming.next().await;
            Some((Ok(connection), incoming))
        })
    }

    async fn next(&mut self) -> Connection {
        loop {
            tokio::select! {
                (stream, _) = sockets::accept(&self.listener), if self.handshakes.len() < HANDSHAKES_MAX => {
                    match &self.tls {
                        None => return Connection::Clear(stream),
                        Some(tls) => {
                            self.handshakes.spawn(shake_hands(TlsAcceptor::from(tls.current()), stream));
                        }
                    }
                }
                Some(ended) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = ended {
                        return connection;
                    }
                }
            }
        }
    }
}

async fn shake_hands(acceptor: TlsAcceptor, stream: TcpStream) -> Option<Connection> {
    let stream = sockets::shake_hands(acceptor, stream).await?;
    let peer = PeerName::of(stream.get_ref().1);
    Some(Connection::Secure(Box::new(stream), peer))
}

/// One connection, with what its peer's certificate says.
pub(super) enum Connection {
    Clear(TcpStream),
    Secure(Box<TlsStream<TcpStream>>, PeerName),
}

impl Connected for Connection {
    type ConnectInfo = PeerName;

    fn connect_info(&self) -> PeerName {
        match self {
            Self::Clear(_) => PeerName::default(),
            Self::Secure(_, peer) => *peer,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Secure(stream, _) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Secure(stream, _) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Self::Secure(stream, _) => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Clear(stream) => stream.is_write_vectored(),
            Self::Secure(stream, _) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
            Self::Secure(stream, _) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Secure(stream, _) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

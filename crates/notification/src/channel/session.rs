//! One session with a smarthost: a deadline for each command, and no life after a doubt.
//!
//! lettre's own pool puts a connection that was cancelled in mid-dialogue back, so replies shift by one and a refused
//! message counts as sent. Here a session that is dropped before its dialogue has ended is closed and never used again.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::starttls;
use super::status::EnhancedStatus;

/// How long the mere connection may take: a host that is there takes it at once, and one that is gone must not use up the
/// time in which the next one could be asked.
const CONNECTION_MAX: Duration = Duration::from_secs(3);

/// How the dialogue is encrypted, ready to use.
#[derive(Clone)]
pub(super) enum Encryption {
    Starttls(Arc<rustls::ClientConfig>),
    Implicit(Arc<rustls::ClientConfig>),
    LoopbackOnly,
}

/// Where the smarthost is and how to talk to it.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encryption: Encryption,
    pub(super) login: Option<Credentials>,
    pub(super) hello: ClientId,
    /// How long everything before the message may take together.
    pub(super) command_deadline: Duration,
    pub(super) data_deadline: Duration,
}

/// What was refused, or could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The session, or our being its client: nothing is said about any recipient.
    Session,
    /// Our being its client, said in the place of a word about the recipient or the message: many servers put off what
    /// they have to say about us until the recipient is named.
    Client,
    /// The recipient.
    Recipient,
    /// The message.
    Message,
}

/// How a dialogue failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionFailure {
    pub(crate) stage: Stage,
    /// The reply's code, as 451, when the server answered.
    pub(crate) reply: Option<u16>,
    /// The reply's enhanced status, as 5.1.1 (RFC 3463), when it had one.
    pub(crate) status: Option<EnhancedStatus>,
    /// A short word when the server did not answer.
    pub(crate) word: &'static str,
    /// Whether the reply's text speaks of relaying, which the server does not do for us.
    pub(super) says_relay: bool,
    /// Whether the message itself may have been taken.
    pub(crate) data_begun: bool,
}

impl SessionFailure {
    pub(super) fn word(word: &'static str) -> Self {
        Self { stage: Stage::Session, reply: None, status: None, word, says_relay: false, data_begun: false }
    }

    /// What the attempt log says of it.
    pub(crate) fn code(&self) -> String {
        self.reply.map_or_else(|| self.word.to_owned(), |reply| reply.to_string())
    }

    pub(super) fn reply(code: u16) -> Self {
        Self { reply: Some(code), ..Self::word("unexpected_reply") }
    }

    /// What the reply was about. Without a reply, or with one that says that the server goes away (421), nothing is said
    /// about recipient or message, and the next smarthost is asked.
    fn at(self, stage: Stage) -> Self {
        match self.reply {
            None | Some(421) => self,
            Some(_) if self.is_about_us() => Self { stage: Stage::Client, ..self },
            Some(_) => Self { stage, ..self },
        }
    }

    /// Whether a refusal is of us, whoever the recipient is: a policy (5.7.x), a login that is missing or wrong, or, where
    /// there is no status, relaying that is denied.
    fn is_about_us(&self) -> bool {
        match (self.reply, self.status) {
            (Some(530 | 535), _) => true,
            (Some(500..=599), Some(status)) => status.is_policy(),
            (Some(500..=599), None) => self.says_relay,
            _ => false,
        }
    }
}

/// An open session between two messages.
pub(super) struct Session {
    connection: AsyncSmtpConnection,
    /// The server takes commands ahead of its replies (RFC 2920).
    pipelining: bool,
}

impl Session {
    /// Connects, greets, encrypts and logs in, at the latest at `begun_by`.
    pub(super) async fn open(address: &Address, begun_by: Instant) -> Result<Self, SessionFailure> {
        timeout_at(begun_by.into(), Self::open_unbounded(address))
            .await
            .unwrap_or(Err(SessionFailure::word("connect_timeout")))
    }

    async fn open_unbounded(address: &Address) -> Result<Self, SessionFailure> {
        let stream = timeout(CONNECTION_MAX, TcpStream::connect((address.host.as_str(), address.port)))
            .await
            .map_err(|_| SessionFailure::word("connect_timeout"))?
            .map_err(|_| SessionFailure::word("connect_failed"))?;
        let peer = stream.peer_addr().map_err(|_| SessionFailure::word("connect_failed"))?;
        // Without it each message waits some 40 ms for a delayed acknowledgement.
        stream.set_nodelay(true).map_err(|_| SessionFailure::word("connect_failed"))?;
        let mut connection = greet(address, stream, peer).await?;
        if let Some(login) = &address.login {
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], login)
                .await
                .map_err(|error| failure(&error, "login_failed"))?;
        }
        let pipelining = offers_pipelining(&mut connection, &address.hello).await?;
        Ok(Self { connection, pipelining })
    }

    /// Sends one message to one recipient. Success is the code 250 alone, which is returned with the open session; on
    /// any failure the session is gone. The server must have asked for the message until `begun_by`.
    pub(super) async fn send(
        mut self,
        address: &Address,
        envelope: &Envelope,
        message: &[u8],
        begun_by: Instant,
    ) -> Result<(Self, u16), SessionFailure> {
        let [recipient] = envelope.to() else { return Err(SessionFailure::word("one_recipient_only")) };
        let options = self.mail_options(envelope, message)?;
        let mail = Mail::new(envelope.from().cloned(), options).to_string();
        let rcpt = Rcpt::new(recipient.clone(), Vec::new()).to_string();
        timeout_at(begun_by.into(), self.envelope([mail, rcpt, Data.to_string()]))
            .await
            .unwrap_or(Err(SessionFailure::word("command_timeout")))?;
        let late = |failure: SessionFailure| {
            let stage = if failure.is_about_us() { Stage::Client } else { Stage::Message };
            SessionFailure { stage, data_begun: true, ..failure }
        };
        let response = timeout(address.data_deadline, self.connection.message(message))
            .await
            .map_err(|_| late(SessionFailure::word("data_timeout")))?
            .map_err(|error| late(failure(&error, "connection_broken")))?;
        expect(&response, &[250]).map_err(late)?;
        Ok((self, 250))
    }

    fn mail_options(&self, envelope: &Envelope, message: &[u8]) -> Result<Vec<MailParameter>, SessionFailure> {
        let mut options = Vec::new();
        let server = self.connection.server_info();
        if envelope.to().iter().any(|to| !to.to_string().is_ascii()) {
            if !server.supports_feature(Extension::SmtpUtfEight) {
                return Err(SessionFailure::word("smtputf8_missing"));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        if !message.is_ascii() && server.supports_feature(Extension::EightBitMime) {
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(options)
    }

    /// The commands before the message: in one write where the server takes that, else one by one. Each reply is checked
    /// in its place; after the first that is not good the session ends, whatever the server had answered to the rest.
    async fn envelope(&mut self, commands: [String; 3]) -> Result<(), SessionFailure> {
        const GOOD: [(Stage, &[u16]); 3] =
            [(Stage::Session, &[250]), (Stage::Recipient, &[250, 251]), (Stage::Message, &[354])];
        if !self.pipelining {
            for (command, (stage, good)) in commands.into_iter().zip(GOOD) {
                self.command(command, good).await.map_err(|failure| failure.at(stage))?;
            }
            return Ok(());
        }
        let [(stage, first), rest @ ..] = GOOD;
        self.command(commands.concat(), first).await.map_err(|failure| failure.at(stage))?;
        for (stage, good) in rest {
            let response = self.connection.read_response().await;
            let response = response.map_err(|error| failure(&error, "connection_broken"));
            response.and_then(|response| expect(&response, good)).map_err(|failure| failure.at(stage))?;
        }
        Ok(())
    }

    async fn command(&mut self, command: String, good: &[u16]) -> Result<(), SessionFailure> {
        let response = self.connection.command(command).await;
        let response = response.map_err(|error| failure(&error, "connection_broken"))?;
        expect(&response, good)
    }
}

/// Brings the connection to where the dialogue may begin, encrypted unless it stays on this machine.
async fn greet(
    address: &Address,
    mut stream: TcpStream,
    peer: SocketAddr,
) -> Result<AsyncSmtpConnection, SessionFailure> {
    let (config, greeting): (_, &[u8]) = match &address.encryption {
        Encryption::LoopbackOnly if !peer.ip().is_loopback() => return Err(SessionFailure::word("not_encrypted")),
        Encryption::LoopbackOnly => {
            let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &address.hello).await;
            return greeted.map_err(|error| failure(&error, "greeting_failed"));
        }
        Encryption::Implicit(config) => (config, b""),
        Encryption::Starttls(config) => {
            starttls::negotiate(&mut stream, &address.hello).await?;
            // The server has greeted already and does not do so again; the client below waits for it.
            (config, b"220 encrypted\r\n")
        }
    };
    let name = rustls::pki_types::ServerName::try_from(address.host.clone())
        .map_err(|_| SessionFailure::word("tls_failed"))?;
    let stream = TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .map_err(|_| SessionFailure::word("tls_failed"))?;
    let encrypted = Encrypted { greeting, stream, peer };
    let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(encrypted), &address.hello).await;
    greeted.map_err(|error| failure(&error, "greeting_failed"))
}

/// Whether the server says that it takes commands ahead of its replies. lettre keeps that part of the greeting to itself,
/// so it is asked again; a session is kept for many messages, and this costs one reply of the first.
async fn offers_pipelining(connection: &mut AsyncSmtpConnection, hello: &ClientId) -> Result<bool, SessionFailure> {
    let greeting =
        connection.command(Ehlo::new(hello.clone())).await.map_err(|error| failure(&error, "greeting_failed"))?;
    Ok(greeting.message().any(|line| line.trim().eq_ignore_ascii_case("PIPELINING")))
}

fn expect(response: &Response, good: &[u16]) -> Result<(), SessionFailure> {
    if good.iter().any(|code| response.has_code(*code)) {
        return Ok(());
    }
    let reply = response.code().to_string().parse().ok();
    Err(SessionFailure { reply, ..SessionFailure::word("unexpected_reply") })
}

fn failure(error: &lettre::transport::smtp::Error, word: &'static str) -> SessionFailure {
    let reply: Option<u16> = error.status().and_then(|code| code.to_string().parse().ok());
    // The text of a refusal is the error's source, and begins with the enhanced status.
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let status = reply.and_then(|_| text.split_whitespace().next()?.parse().ok());
    let says_relay = reply.is_some() && text.to_ascii_lowercase().contains("relay");
    SessionFailure { reply, status, says_relay, ..SessionFailure::word(word) }
}

/// An encrypted stream, with a greeting that is read before anything of it.
#[derive(Debug)]
struct Encrypted {
    greeting: &'static [u8],
    stream: TlsStream<TcpStream>,
    peer: SocketAddr,
}

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.greeting.is_empty() {
            let (now, later) = self.greeting.split_at(self.greeting.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.greeting = later;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

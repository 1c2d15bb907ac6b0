//! A mail server that accepts every message and keeps it, without a disk.
//!
//! The protocol is parsed by `smtp-proto`, the parser of a production mail server, so that a client which breaks the
//! rules is refused here as it would be elsewhere.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use smtp_proto::request::receiver::{DataReceiver, RequestReceiver};
use smtp_proto::{Error, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::log::Log;

/// One message as it arrived.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The envelope sender.
    pub from: String,
    /// The envelope recipients.
    pub to: Vec<String>,
    /// Headers and body, dot-stuffing removed.
    pub data: Vec<u8>,
}

/// A mail server on a free loopback port; it stops when dropped.
#[derive(Debug)]
pub struct MailSink {
    address: SocketAddr,
    log: Log<Mail>,
    task: JoinHandle<()>,
}

impl MailSink {
    /// Starts it. `answer_delay` passes before the answer to each message, as at a slow relay.
    pub async fn start(answer_delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let log = Log::default();
        let accepted = log.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let log = accepted.clone();
                tokio::spawn(async move {
                    // A client that goes away in mid-dialogue has sent nothing that counts.
                    let _ = Session::new(stream, log, answer_delay).run().await;
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
    pub fn log(&self) -> &Log<Mail> {
        &self.log
    }
}

impl Drop for MailSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The largest message kept, in bytes; a larger one is refused with 552.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

struct Session {
    stream: TcpStream,
    log: Log<Mail>,
    answer_delay: Duration,
    from: Option<String>,
    to: Vec<String>,
    receiving: Option<(DataReceiver, Vec<u8>)>,
}

/// Whether the dialogue goes on.
#[derive(PartialEq, Eq)]
enum Then {
    Continue,
    Close,
}

impl Session {
    fn new(stream: TcpStream, log: Log<Mail>, answer_delay: Duration) -> Self {
        Self { stream, log, answer_delay, from: None, to: Vec::new(), receiving: None }
    }

    async fn run(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.write_all(b"220 sink.example ESMTP\r\n").await?;
        let mut buffer = vec![0_u8; 16 * 1024];
        let mut requests = RequestReceiver::default();
        loop {
            let read = self.stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            let mut bytes = buffer.get(..read).unwrap_or_default().iter();
            let mut answers = Vec::new();
            while !bytes.as_slice().is_empty() {
                if self.receiving.is_some() {
                    self.receive(&mut bytes, &mut answers).await;
                    continue;
                }
                let then = match requests.ingest(&mut bytes) {
                    Ok(request) => self.answer(&request, &mut answers),
                    Err(Error::NeedsMoreData { .. }) => break,
                    Err(_) => {
                        answers.extend_from_slice(b"500 5.5.2 not understood\r\n");
                        Then::Continue
                    }
                };
                if then == Then::Close {
                    self.stream.write_all(&answers).await?;
                    return self.stream.shutdown().await;
                }
            }
            // Answers to pipelined commands leave in one write.
            self.stream.write_all(&answers).await?;
        }
    }

    async fn receive(&mut self, bytes: &mut std::slice::Iter<'_, u8>, answers: &mut Vec<u8>) {
        let Some((mut receiver, mut data)) = self.receiving.take() else { return };
        if !receiver.ingest(bytes, &mut data) {
            if data.len() > MESSAGE_BYTES_MAX {
                data.truncate(MESSAGE_BYTES_MAX + 1);
            }
            self.receiving = Some((receiver, data));
            return;
        }
        if !self.answer_delay.is_zero() {
            tokio::time::sleep(self.answer_delay).await;
        }
        let to = std::mem::take(&mut self.to);
        let from = self.from.take().unwrap_or_default();
        if data.len() > MESSAGE_BYTES_MAX {
            answers.extend_from_slice(b"552 5.3.4 too large\r\n");
        } else {
            self.log.record(Mail { from, to, data });
            answers.extend_from_slice(b"250 2.0.0 kept\r\n");
        }
    }

    fn answer(&mut self, request: &Request<std::borrow::Cow<'_, str>>, answers: &mut Vec<u8>) -> Then {
        let answer: &[u8] = match request {
            Request::Ehlo { .. } => {
                b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 1048576\r\n"
            }
            Request::Helo { .. } => b"250 sink.example\r\n",
            Request::Mail { from } => {
                self.from = Some(from.address.to_string());
                self.to.clear();
                b"250 2.1.0 sender\r\n"
            }
            Request::Rcpt { .. } if self.from.is_none() => b"503 5.5.1 MAIL first\r\n",
            Request::Rcpt { to } => {
                self.to.push(to.address.to_string());
                b"250 2.1.5 recipient\r\n"
            }
            Request::Data if self.to.is_empty() => b"503 5.5.1 RCPT first\r\n",
            Request::Data => {
                self.receiving = Some((DataReceiver::new(), Vec::new()));
                b"354 go on, end with a dot\r\n"
            }
            Request::Rset => {
                self.from = None;
                self.to.clear();
                b"250 2.0.0 forgotten\r\n"
            }
            Request::Noop { .. } => b"250 2.0.0 here\r\n",
            Request::Quit => {
                answers.extend_from_slice(b"221 2.0.0 bye\r\n");
                return Then::Close;
            }
            _ => b"502 5.5.1 not offered\r\n",
        };
        answers.extend_from_slice(answer);
        Then::Continue
    }
}

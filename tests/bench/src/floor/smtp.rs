//! A raw SMTP client over kept sessions with `TCP_NODELAY`: command by command, or pipelined (RFC 2920).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Sends every message over `sessions` kept sessions and returns how long it took.
pub(crate) async fn send(
    address: SocketAddr,
    sessions: usize,
    messages: Vec<String>,
    pipelined: bool,
) -> Result<Duration> {
    let mut open = Vec::new();
    for _ in 0..sessions {
        open.push(Session::open(address).await?);
    }
    let (messages, next) = (Arc::new(messages), Arc::new(AtomicUsize::new(0)));
    let started = Instant::now();
    let workers = open.into_iter().map(|mut session| {
        let (messages, next) = (Arc::clone(&messages), Arc::clone(&next));
        tokio::spawn(async move {
            while let Some(message) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                session.deliver(message, pipelined).await?;
            }
            anyhow::Ok(())
        })
    });
    for worker in futures::future::join_all(workers).await {
        worker??;
    }
    Ok(started.elapsed())
}

struct Session {
    stream: BufReader<TcpStream>,
}

impl Session {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut session = Self { stream: BufReader::new(stream) };
        session.expect("220").await?;
        session.command("EHLO floor.example\r\n", "250").await?;
        Ok(session)
    }

    async fn deliver(&mut self, message: &str, pipelined: bool) -> Result<()> {
        let envelope = ["MAIL FROM:<alerts@floor.example>\r\n", "RCPT TO:<contact@sink.example>\r\n", "DATA\r\n"];
        if pipelined {
            self.stream.write_all(envelope.concat().as_bytes()).await?;
            for code in ["250", "250", "354"] {
                self.expect(code).await?;
            }
        } else {
            for (command, code) in envelope.into_iter().zip(["250", "250", "354"]) {
                self.command(command, code).await?;
            }
        }
        self.command(&format!("{message}\r\n.\r\n"), "250").await
    }

    async fn command(&mut self, command: &str, code: &str) -> Result<()> {
        self.stream.write_all(command.as_bytes()).await?;
        self.expect(code).await
    }

    async fn expect(&mut self, code: &str) -> Result<()> {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).await?;
            ensure!(line.starts_with(code), "expected {code}, the server answered {line:?}");
            if line.as_bytes().get(3).is_none_or(|byte| *byte != b'-') {
                return Ok(());
            }
        }
    }
}

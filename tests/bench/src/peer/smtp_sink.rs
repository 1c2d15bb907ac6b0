//! Postfix's own test server, which takes every message and keeps none. It counts what it took on standard output.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::sync::watch;

use super::{free_address, is_root, until_listening};

const PROGRAMS: [&str; 2] = ["/usr/sbin/smtp-sink", "/usr/bin/smtp-sink"];
/// Connections that may wait for it.
const BACKLOG: &str = "256";

/// A running smtp-sink; it ends when dropped.
pub(crate) struct SmtpSink {
    process: Child,
    pub(crate) address: SocketAddr,
    /// How many messages it has taken, and when it said so.
    taken: watch::Receiver<(usize, Instant)>,
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl SmtpSink {
    /// Starts it; none where it is not installed.
    pub(crate) async fn start() -> Result<Option<Self>> {
        let Some(program) = PROGRAMS.into_iter().find(|path| Path::new(path).exists()) else { return Ok(None) };
        let address = free_address()?;
        let mut command = Command::new(program);
        // Started by root it asks for an ordinary user.
        if is_root() {
            command.args(["-u", "nobody"]);
        }
        command.arg("-c").arg(address.to_string()).arg(BACKLOG);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = process.stdout.take().context("smtp-sink's output")?;
        let (sender, taken) = watch::channel((0, Instant::now()));
        // It ends with the process, whose output then ends.
        std::thread::spawn(move || count(output, &sender));
        let sink = Self { process, address, taken };
        until_listening(address, "smtp-sink").await?;
        Ok(Some(sink))
    }

    /// Waits until it has taken so many, and returns when it said so.
    pub(crate) async fn reached(&self, count: usize) -> Result<Instant> {
        let mut taken = self.taken.clone();
        let reached = taken.wait_for(|(taken, _)| *taken >= count).await.context("smtp-sink has ended")?;
        Ok(reached.1)
    }
}

/// Reads counters such as `sess=0       quit=0       mesg=17`, each ended by a carriage return.
fn count(mut output: ChildStdout, taken: &watch::Sender<(usize, Instant)>) {
    let (mut buffer, mut line) = ([0_u8; 4096], Vec::new());
    while let Ok(read @ 1..) = output.read(&mut buffer) {
        let now = Instant::now();
        for byte in buffer.get(..read).unwrap_or_default() {
            if *byte != b'\r' {
                line.push(*byte);
                continue;
            }
            if let Some(count) = messages(&String::from_utf8_lossy(&line)) {
                taken.send_if_modified(|last| {
                    let more = count > last.0;
                    if more {
                        *last = (count, now);
                    }
                    more
                });
            }
            line.clear();
        }
    }
}

fn messages(line: &str) -> Option<usize> {
    line.split("mesg=").nth(1)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_counters_are_read() {
        assert_eq!(messages("sess=1       quit=1       mesg=1003"), Some(1003));
        assert_eq!(messages("sess=1"), None);
    }
}

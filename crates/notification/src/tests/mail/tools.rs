//! Programs and servers that the tests of e-mail start, each on loopback and gone at the end.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// How long a program may take to answer its port.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// A port that nobody uses at this moment.
pub(super) fn free_port() -> u16 {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until somebody listens.
pub(super) async fn until_listening(port: u16, what: &str) {
    let deadline = Instant::now() + START_PATIENCE;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
        assert!(Instant::now() < deadline, "{what} does not listen on its port");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A child process that ends with the test.
pub(super) struct Running(Child);

impl Running {
    pub(super) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?} does not start ({error}): run tests/tools")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Postfix's own test server, with these options.
pub(super) async fn smtp_sink(options: &[&str]) -> (Running, SocketAddr) {
    let port = free_port();
    let program = ["/usr/sbin/smtp-sink", "/usr/bin/smtp-sink"].into_iter().find(|path| Path::new(path).exists());
    let mut command = Command::new(program.unwrap_or("smtp-sink"));
    // It asks for an ordinary user when root starts it.
    command.args(["-u", "nobody"]).args(options).arg(format!("127.0.0.1:{port}")).arg("100");
    let running = Running::start(&mut command);
    until_listening(port, "smtp-sink").await;
    (running, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Runs a program to its end and returns what it printed; it must succeed.
pub(super) fn run(command: &mut Command) -> Vec<u8> {
    run_with(command, b"")
}

/// The same with something to read.
pub(super) fn run_with(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start ({error}): run tests/tools"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output.stdout
}

/// The Python that has the verifier: that of our tools, or the system's.
fn python() -> PathBuf {
    let ours = std::env::var_os("TOCSIN_TEST_TOOLS").map(|tools| PathBuf::from(tools).join("python/bin/python"));
    let has_it = |python: &PathBuf| {
        let tried = Command::new(python).args(["-c", "import dkim, nacl"]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let found = ours.into_iter().chain([PathBuf::from("python3")]).find(has_it);
    found.expect("dkimpy with ed25519 is missing: run tests/tools")
}

/// What Python's parser and the DKIM verifier say about each message.
pub(super) fn checked(messages: &[Vec<u8>], records: &[(String, String)]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    for (number, message) in messages.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number:05}.eml")), message).unwrap();
    }
    let script = folder.path().with_extension("py");
    std::fs::write(&script, include_str!("check.py")).unwrap();
    let mut command = Command::new(python());
    command.arg(&script).arg(folder.path());
    command.args(records.iter().map(|(name, record)| format!("{name}={record}")));
    let printed = run(&mut command);
    std::fs::remove_file(script).unwrap();
    let found: Vec<Value> = printed
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(found.len(), messages.len());
    found
}

/// Somebody who speaks a mail protocol by hand.
pub(super) struct Dialogue(BufReader<TcpStream>);

impl Dialogue {
    pub(super) async fn open(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let mut dialogue = Self(BufReader::new(stream));
        assert!(dialogue.reply().await.starts_with("220 "));
        dialogue
    }

    /// The last line of the next reply; empty when the other side is gone.
    pub(super) async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.unwrap_or(0) == 0 {
                return String::new();
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    pub(super) async fn say(&mut self, line: &str) -> String {
        let _ = self.0.write_all(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// Hands a message in to one recipient and returns the reply to it.
    pub(super) async fn hand_in(&mut self, to: &str, message: &str) -> String {
        assert_eq!(self.say("MAIL FROM:<>").await.get(..3), Some("250"));
        assert_eq!(self.say(&format!("RCPT TO:<{to}>")).await, "250 2.1.5 recipient");
        assert_eq!(self.say("DATA").await.get(..3), Some("354"));
        self.say(&format!("{message}\r\n.")).await
    }
}

/// A delivery report as mail servers write it.
pub(super) fn report(action: &str, status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mail.example\r\nTo: alerts@tocsin.example\r\nSubject: Undelivered Mail\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nIt did not arrive.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example\r\n\r\n\
         Final-Recipient: rfc822; duty@org-1.example\r\nAction: {action}\r\nStatus: {status}\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n--b--"
    )
}

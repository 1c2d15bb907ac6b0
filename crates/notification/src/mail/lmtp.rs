//! The door for bounces: LMTP (RFC 2033), on loopback, from the mail server that receives what is sent to our return
//! path. It takes mail only for an address that we made for a notice, and reads delivery reports only; what else comes
//! to such an address (an automatic answer) is taken and forgotten, so that nobody bounces it again.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use smtp_proto::request::receiver::{DataReceiver, RequestReceiver};
use smtp_proto::{Error, Request};
use tocsin_platform::lifecycle::Shutdown;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::bounces;
use super::report::{Report, read};
use super::tokens::{Named, Purpose, named};
use crate::office::Office;

/// The most sessions at the same time; others wait to be accepted.
const SESSIONS_MAX: usize = 16;
/// The largest message: a report quotes what it is about, and ours are small.
const MESSAGE_BYTES_MAX: usize = 512 * 1024;
/// The most recipients of one message.
const RECIPIENTS_MAX: usize = 50;
/// How long a session may say nothing.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// How long a session may last.
const SESSION_MAX: Duration = Duration::from_mins(10);
/// The most commands that are not understood in one session.
const ERRORS_MAX: u32 = 20;

/// Takes bounces in until the drain.
pub(crate) async fn run(office: Arc<Office>, listener: TcpListener, shutdown: Shutdown) -> Result<(), Infallible> {
    let sessions = Arc::new(Semaphore::new(SESSIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&sessions).acquire_owned().await else { return Ok(()) };
        let accepted = tokio::select! {
            () = shutdown.draining() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: the next moment may be better.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let office = Arc::clone(&office);
        let draining = shutdown.clone();
        tokio::spawn(async move {
            let session = timeout(SESSION_MAX, Session::new(&office, stream).run());
            tokio::select! {
                // The mail server tries again what was not answered.
                () = draining.draining() => {}
                // A client that goes away in mid-dialogue has handed nothing in.
                _ = session => {}
            }
            drop(permit);
        });
    }
}

/// A session; the message it takes is read in memory.
struct Session<'a, S> {
    office: &'a Office,
    stream: S,
    greeted: bool,
    /// Whether a sender was named: bounces have an empty one.
    sender: bool,
    recipients: Vec<Named>,
    receiving: Option<(DataReceiver, Vec<u8>)>,
    errors: u32,
}

/// Whether the dialogue goes on.
#[derive(PartialEq, Eq)]
enum Then {
    Continue,
    Close,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    fn new(office: &'a Office, stream: S) -> Self {
        Self { office, stream, greeted: false, sender: false, recipients: Vec::new(), receiving: None, errors: 0 }
    }

    async fn run(mut self) -> io::Result<()> {
        self.stream.write_all(b"220 tocsin LMTP\r\n").await?;
        let mut buffer = vec![0_u8; 16 * 1024];
        let mut requests = RequestReceiver::default();
        loop {
            let read = timeout(SILENCE_MAX, self.stream.read(&mut buffer)).await??;
            if read == 0 {
                return Ok(());
            }
            let mut bytes = buffer.get(..read).unwrap_or_default().iter();
            let mut answers = Vec::new();
            let mut then = Then::Continue;
            while !bytes.as_slice().is_empty() && then == Then::Continue {
                if self.receiving.is_some() {
                    self.receive(&mut bytes, &mut answers).await;
                    continue;
                }
                then = match requests.ingest(&mut bytes) {
                    Ok(request) => self.answer(&request, &mut answers),
                    Err(Error::NeedsMoreData { .. }) => break,
                    Err(_) => self.misunderstood(&mut answers),
                };
            }
            self.stream.write_all(&answers).await?;
            if then == Then::Close {
                return self.stream.shutdown().await;
            }
        }
    }

    fn misunderstood(&mut self, answers: &mut Vec<u8>) -> Then {
        self.errors += 1;
        if self.errors > ERRORS_MAX {
            answers.extend_from_slice(b"421 4.7.0 too many errors\r\n");
            return Then::Close;
        }
        answers.extend_from_slice(b"500 5.5.2 not understood\r\n");
        Then::Continue
    }

    fn answer(&mut self, request: &Request<std::borrow::Cow<'_, str>>, answers: &mut Vec<u8>) -> Then {
        let answer: &[u8] = match request {
            Request::Lhlo { .. } => {
                self.greeted = true;
                self.forget();
                b"250-tocsin\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 SIZE 524288\r\n"
            }
            Request::Ehlo { .. } | Request::Helo { .. } => b"500 5.5.1 this door speaks LMTP: say LHLO\r\n",
            Request::Mail { .. } if !self.greeted => b"503 5.5.1 LHLO first\r\n",
            Request::Mail { from } if from.size > MESSAGE_BYTES_MAX => b"552 5.3.4 too large\r\n",
            Request::Mail { .. } => {
                self.forget();
                self.sender = true;
                b"250 2.1.0 sender\r\n"
            }
            Request::Rcpt { .. } if !self.sender => b"503 5.5.1 MAIL first\r\n",
            Request::Rcpt { .. } if self.recipients.len() >= RECIPIENTS_MAX => b"452 4.5.3 too many recipients\r\n",
            Request::Rcpt { to } => self.recipient(&to.address),
            Request::Data if self.recipients.is_empty() => b"503 5.5.1 RCPT first\r\n",
            Request::Data => {
                self.receiving = Some((DataReceiver::new(), Vec::new()));
                b"354 go on, end with a dot\r\n"
            }
            Request::Rset => {
                self.forget();
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

    fn forget(&mut self) {
        self.sender = false;
        self.recipients.clear();
    }

    /// Takes an address that we made, and no other. The same answer for whatever is wrong with it.
    fn recipient(&mut self, address: &str) -> &'static [u8] {
        match named_by(self.office, address) {
            Some(named) => {
                self.recipients.push(named);
                b"250 2.1.5 recipient\r\n"
            }
            None => b"550 5.1.1 no such address\r\n",
        }
    }

    /// Takes the message in. Each recipient has an answer of its own, in the order in which they were named.
    async fn receive(&mut self, bytes: &mut std::slice::Iter<'_, u8>, answers: &mut Vec<u8>) {
        let Some((mut receiver, mut data)) = self.receiving.take() else { return };
        let done = receiver.ingest(bytes, &mut data);
        let too_large = data.len() > MESSAGE_BYTES_MAX;
        if !done {
            // Beyond its limit a message is only counted, not kept.
            data.truncate(MESSAGE_BYTES_MAX + 1);
            self.receiving = Some((receiver, data));
            return;
        }
        let recipients = std::mem::take(&mut self.recipients);
        self.sender = false;
        let report = if too_large { Report::None } else { read(&data) };
        for named in recipients {
            let answer: &[u8] = if too_large {
                b"552 5.3.4 too large\r\n"
            } else {
                match self.record(&named, report).await {
                    Ok(()) => b"250 2.0.0 taken\r\n",
                    Err(()) => b"451 4.3.0 try again\r\n",
                }
            };
            answers.extend_from_slice(answer);
        }
    }

    async fn record(&self, named: &Named, report: Report) -> Result<(), ()> {
        let Report::Failed(status) = report else { return Ok(()) };
        bounces::reported(self.office, named, status).await.map_err(|error| {
            tracing::warn!(reason = %error, "a bounce could not be recorded; the mail server will hand it in again");
        })
    }
}

/// What an address of ours names, as `alerts+<token>@tocsin.example`.
fn named_by(office: &Office, address: &str) -> Option<Named> {
    let (local, domain) = address.rsplit_once('@')?;
    let (own_local, own_domain) = office.config.email.return_path().rsplit_once('@')?;
    let (name, token) = local.rsplit_once('+')?;
    let ours = name.eq_ignore_ascii_case(own_local) && domain.eq_ignore_ascii_case(own_domain);
    if ours { named(&office.secrets, Purpose::Bounce, token) } else { None }
}

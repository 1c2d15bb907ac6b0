//! The smarthost: a bounded number of kept sessions, and what its replies mean for a notice.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tocsin_domain::notice::NoticeState;
use tokio::sync::Semaphore;

use super::session::{Address, Encryption, Session, SessionFailure};
use super::{MailHeaders, Outcome, Pace};
use crate::config::{EmailConfig, MailTls};
use crate::tls::{TlsError, client};

/// A kept session older than this is closed rather than used: many servers hang up on idle clients without a word.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Why the smarthost's settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SmarthostError {
    /// The sender is no address.
    #[error("notification.email.from must be an e-mail address")]
    From,
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The authority's file.
    #[error("notification.email.authority holds no PEM certificate that can be used")]
    Authority,
}

struct Idle {
    session: Session,
    since: Instant,
}

/// The smarthost as all attempts share it.
#[derive(Clone)]
pub(crate) struct Smarthost {
    inner: Arc<Inner>,
}

struct Inner {
    /// None when no host is set.
    address: Option<Address>,
    headers: MailHeaders,
    idle: Mutex<Vec<Idle>>,
    sessions: Semaphore,
}

impl Smarthost {
    pub(crate) fn new(config: &EmailConfig) -> Result<Self, SmarthostError> {
        let from: lettre::Address = config.from.parse().map_err(|_| SmarthostError::From)?;
        let address = if config.host.is_empty() { None } else { Some(address(config, &from)?) };
        let inner = Inner {
            address,
            headers: MailHeaders::new(from),
            idle: Mutex::new(Vec::new()),
            sessions: Semaphore::new(config.connections_max),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The headers that all our messages share.
    pub(crate) fn headers(&self) -> &MailHeaders {
        &self.inner.headers
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, to: &lettre::Address, message: &[u8]) -> Outcome {
        let Some(address) = &self.inner.address else { return Outcome::temporary("no_smarthost") };
        let from = self.inner.headers.from().clone();
        let Ok(envelope) = Envelope::new(Some(from), vec![to.clone()]) else {
            return Outcome::Refused { code: "bad_address".to_owned(), tries: 1 };
        };
        let Ok(_permit) = self.inner.sessions.acquire().await else { return Outcome::temporary("closing") };
        match self.dialogue(address, &envelope, message).await {
            Ok(code) => Outcome::taken(NoticeState::Accepted, code.to_string()),
            Err(failure) => judge(&failure),
        }
    }

    /// A kept session may have been closed by the server; then the message goes over a fresh one, unless its content
    /// was already on the line.
    async fn dialogue(&self, address: &Address, envelope: &Envelope, message: &[u8]) -> Result<u16, SessionFailure> {
        if let Some(kept) = self.take_idle() {
            match kept.send(address, envelope, message).await {
                Ok((session, code)) => {
                    self.keep(session);
                    return Ok(code);
                }
                Err(failure) if failure.data_begun || failure.reply.is_some_and(|reply| reply != 421) => {
                    return Err(failure);
                }
                Err(_) => {}
            }
        }
        let (session, code) = Session::open(address).await?.send(address, envelope, message).await?;
        self.keep(session);
        Ok(code)
    }

    fn take_idle(&self) -> Option<Session> {
        let mut idle = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.since.elapsed() < IDLE_MAX);
        idle.pop().map(|kept| kept.session)
    }

    fn keep(&self, session: Session) {
        let mut idle = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Idle { session, since: Instant::now() });
    }
}

fn address(config: &EmailConfig, from: &lettre::Address) -> Result<Address, SmarthostError> {
    let encryption = match config.tls {
        MailTls::None => Encryption::LoopbackOnly,
        MailTls::Implicit => {
            Encryption::Implicit(Arc::new(client("notification.email.authority", config.authority.as_deref())?))
        }
        MailTls::Starttls => {
            let mut parameters = TlsParameters::builder(config.host.clone());
            if let Some(path) = &config.authority {
                let pem = std::fs::read(path).map_err(|_| SmarthostError::Authority)?;
                let certificate = Certificate::from_pem(&pem).map_err(|_| SmarthostError::Authority)?;
                parameters = parameters.add_root_certificate(certificate);
            }
            Encryption::Starttls(parameters.build().map_err(|_| SmarthostError::Authority)?)
        }
    };
    let login = config.username.as_ref().map(|username| {
        let password = config.password.as_ref().map(|password| password.expose().to_owned());
        Credentials::new(username.clone(), password.unwrap_or_default())
    });
    Ok(Address {
        host: config.host.clone(),
        port: config.port,
        encryption,
        login,
        hello: ClientId::Domain(from.domain().to_owned()),
        command_deadline: Duration::from_secs(config.command_seconds.into()),
        data_deadline: Duration::from_secs(config.data_seconds.into()),
    })
}

fn judge(failure: &SessionFailure) -> Outcome {
    match failure.reply {
        Some(reply @ 500..=599) => Outcome::Refused { code: reply.to_string(), tries: 1 },
        Some(reply @ 400..=499) => Outcome::Temporary {
            code: reply.to_string(),
            pace: Pace::MailServer,
            retry_after_seconds: None,
            throttled: reply == 421,
        },
        // Any other code is out of place: the dialogue is not to be trusted, and the notice is tried again.
        Some(reply) => Outcome::temporary(reply.to_string()),
        None => Outcome::temporary(failure.word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_have_their_meaning() {
        check(Some(450), "later, as a mail server asks");
        check(Some(421), "later, as a mail server asks");
        check(Some(550), "refused");
        check(Some(354), "later");
        check(None, "later");
    }

    fn check(reply: Option<u16>, expected: &str) {
        let shown = match judge(&SessionFailure { reply, word: "data_timeout", data_begun: false }) {
            Outcome::Temporary { pace: Pace::MailServer, .. } => "later, as a mail server asks",
            Outcome::Temporary { .. } => "later",
            Outcome::Refused { tries: 1, .. } => "refused",
            _ => "other",
        };
        assert_eq!(shown, expected, "{reply:?}");
    }
}

//! One smarthost: a bounded number of kept sessions, and a rest when it does not answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::Semaphore;

use super::session::{Address, Encryption, Session, SessionFailure, Stage};
use super::tally::{Seen, Tally};
use crate::config::{MailTls, SmarthostConfig};
use crate::tls::{TlsError, client};

/// A kept session older than this is closed rather than used: many servers hang up on idle clients without a word.
const IDLE_MAX: Duration = Duration::from_secs(20);
/// The first rest; each further one is twice as long.
const REST_FIRST: Duration = Duration::from_secs(15);
/// The longest rest.
const REST_MAX: Duration = Duration::from_mins(5);

/// What all smarthosts have in common.
pub(super) struct Terms {
    /// How we name ourselves.
    pub(super) hello: String,
    pub(super) sessions_max: usize,
    pub(super) command_deadline: Duration,
    pub(super) data_deadline: Duration,
}

struct Idle {
    session: Session,
    since: Instant,
}

/// Whether it answers.
#[derive(Debug, Default)]
struct Health {
    /// When its last rest began.
    rested_at: Option<Instant>,
    rests_until: Option<Instant>,
    rest: Duration,
}

/// One smarthost as all attempts share it.
pub(crate) struct Smarthost {
    name: String,
    address: Address,
    idle: Mutex<Vec<Idle>>,
    sessions: Semaphore,
    health: Mutex<Health>,
    tally: Tally,
}

impl Smarthost {
    pub(super) fn new(config: &SmarthostConfig, terms: &Terms) -> Result<Self, TlsError> {
        let tls = || client("notification.email.authority", config.authority.as_deref()).map(Arc::new);
        let encryption = match config.tls {
            MailTls::None => Encryption::LoopbackOnly,
            MailTls::Implicit => Encryption::Implicit(tls()?),
            MailTls::Starttls => Encryption::Starttls(tls()?),
        };
        let login = config.username.as_ref().map(|username| {
            let password = config.password.as_ref().map(|password| password.expose().to_owned());
            Credentials::new(username.clone(), password.unwrap_or_default())
        });
        let address = Address {
            host: config.host.clone(),
            port: config.port,
            encryption,
            login,
            hello: ClientId::Domain(terms.hello.clone()),
            command_deadline: terms.command_deadline,
            data_deadline: terms.data_deadline,
        };
        let sessions = Semaphore::new(terms.sessions_max);
        let name = format!("{}:{}", config.host, config.port);
        let (idle, health, tally) = (Mutex::new(Vec::new()), Mutex::default(), Tally::default());
        Ok(Self { name, address, idle, sessions, health, tally })
    }

    /// Host and port, by which people name it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How long it rests from now on; zero when it does not.
    pub(crate) fn rest_left(&self, now: Instant) -> Duration {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.rests_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// What this process has seen of it.
    pub(crate) fn seen(&self) -> Seen {
        self.tally.seen()
    }

    /// The longest that one delivery takes, waiting for a free session aside.
    pub(super) fn longest(&self) -> Duration {
        self.address.command_deadline + self.address.data_deadline
    }

    /// Whether it rests.
    pub(super) fn is_resting(&self, now: Instant) -> bool {
        !self.rest_left(now).is_zero()
    }

    fn answered(&self) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = Health::default();
    }

    /// Whoever tries it after a rest is the probe: meanwhile the others leave it alone for another rest.
    fn is_tried(&self, now: Instant) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if health.rests_until.is_some_and(|until| until <= now) {
            health.rests_until = Some(now + health.rest);
        }
    }

    /// Lets it rest. Dialogues that were open when its rest began say nothing new: a burst of them is one failure.
    fn did_not_answer(&self, begun: Instant, now: Instant) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if health.rested_at.is_some_and(|rested_at| begun < rested_at) {
            return;
        }
        health.rest = if health.rest.is_zero() { REST_FIRST } else { (health.rest * 2).min(REST_MAX) };
        health.rested_at = Some(now);
        health.rests_until = Some(now + health.rest);
    }

    /// Delivers one message and returns the code of success.
    pub(super) async fn deliver(&self, envelope: &Envelope, message: &[u8]) -> Result<u16, SessionFailure> {
        let Ok(_permit) = self.sessions.acquire().await else { return Err(SessionFailure::word("closing")) };
        let _flight = self.tally.begin();
        let begun = Instant::now();
        self.is_tried(begun);
        let outcome = self.dialogue(envelope, message, begun + self.address.command_deadline).await;
        match &outcome {
            Err(failure) if failure.stage == Stage::Session => {
                self.tally.failed(&failure.code());
                self.did_not_answer(begun, Instant::now());
            }
            // It answers, and at once: it need not rest for the next one to be asked.
            Err(failure) if failure.stage == Stage::Client => {
                self.tally.failed(&failure.code());
                self.answered();
            }
            Ok(_) => {
                self.tally.took();
                self.answered();
            }
            Err(_) => self.answered(),
        }
        outcome
    }

    /// A kept session may have been closed by the server; then the message goes over a fresh one, unless its content
    /// was already on the line. Until `begun_by` the server must have asked for the message, over whichever session.
    async fn dialogue(&self, envelope: &Envelope, message: &[u8], begun_by: Instant) -> Result<u16, SessionFailure> {
        if let Some(kept) = self.take_idle() {
            match kept.send(&self.address, envelope, message, begun_by).await {
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
        let session = Session::open(&self.address, begun_by).await?;
        let (session, code) = session.send(&self.address, envelope, message, begun_by).await?;
        self.keep(session);
        Ok(code)
    }

    fn take_idle(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.since.elapsed() < IDLE_MAX);
        idle.pop().map(|kept| kept.session)
    }

    fn keep(&self, session: Session) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(Idle { session, since: Instant::now() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smarthost_that_does_not_answer_rests_longer_each_time() {
        let config = SmarthostConfig {
            host: "127.0.0.1".to_owned(),
            port: 1,
            tls: MailTls::None,
            authority: None,
            username: None,
            password: None,
            password_file: None,
        };
        let second = Duration::from_secs(1);
        let terms = Terms {
            hello: "tocsin.example".to_owned(),
            sessions_max: 1,
            command_deadline: second,
            data_deadline: second,
        };
        let smarthost = Smarthost::new(&config, &terms).unwrap();
        let before = Instant::now();
        let start = before + second;
        assert!(!smarthost.is_resting(start));
        smarthost.did_not_answer(start, start);
        assert_eq!(smarthost.rest_left(start), REST_FIRST, "from the first failure");
        assert!(smarthost.is_resting(start) && !smarthost.is_resting(start + REST_FIRST));
        for _ in 0..20 {
            smarthost.did_not_answer(before, start + second);
        }
        assert_eq!(smarthost.rest_left(start), REST_FIRST, "dialogues that were open already are no news");
        let later = start + REST_FIRST;
        assert!(smarthost.rest_left(later).is_zero(), "looking is not trying");
        smarthost.is_tried(later);
        assert_eq!(smarthost.rest_left(later), REST_FIRST, "one probe and one only");
        smarthost.did_not_answer(later, later);
        assert_eq!(smarthost.rest_left(later), REST_FIRST * 2);
        for _ in 0..20 {
            smarthost.did_not_answer(later, later);
        }
        assert_eq!(smarthost.rest_left(later), REST_MAX);
        smarthost.answered();
        assert!(smarthost.rest_left(later).is_zero());
    }
}

//! Clients that know both processes of each service: when one is away they ask the other, as a client should.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tocsin_tests::Outcome;
use tocsin_tests::clients::Clients;
use tocsin_tests::deployed::Deployed;
use tocsin_tests::installation::{Door, Doors};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};

use super::Ledger;
use crate::settings::PROCESSES;

/// How long connecting may take: more means that the cable is cut.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
/// How long one call may take before the other process is asked.
const CALL_TIME_MAX: Duration = Duration::from_secs(8);
/// A stream through a process that is paused or cut off is noticed after this, twice.
const KEEPALIVE: Duration = Duration::from_secs(4);
/// The pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// Both processes of every service.
#[derive(Debug, Clone)]
pub struct Houses {
    clients: Arc<[Clients; PROCESSES]>,
    doors: [Doors; PROCESSES],
    turn: Arc<AtomicUsize>,
    /// For the JSON doors.
    pub http: reqwest::Client,
    /// Where retries and surprises are noted.
    pub ledger: Arc<Ledger>,
}

/// What one attempt came to.
#[derive(Debug)]
pub enum Attempt<T> {
    /// Answered.
    Done(T),
    /// Away or cut off: it may have been done or not.
    Away,
    /// Answered with a refusal.
    Refused(Status),
}

impl Houses {
    /// Clients of the services behind these doors.
    pub fn of(doors: [Doors; PROCESSES], deployed: &Deployed, ledger: Arc<Ledger>) -> Outcome<Self> {
        let [first, second] = &doors;
        let channel = |door| channel(door, deployed);
        let clients = [Clients::over(first, channel)?, Clients::over(second, channel)?];
        let http = deployed.web()?.connect_timeout(CONNECT_TIME_MAX).timeout(CALL_TIME_MAX).build()?;
        Ok(Self { clients: Arc::new(clients), doors, turn: Arc::default(), http, ledger })
    }

    /// The same houses for somebody who decides on his own which process to ask.
    #[must_use]
    pub fn apart(&self, turn: usize) -> Self {
        Self { turn: Arc::new(AtomicUsize::new(turn)), ..self.clone() }
    }

    /// The processes that are asked at present.
    pub fn clients(&self) -> &Clients {
        let [first, second] = &*self.clients;
        if self.turn.load(Ordering::Relaxed).is_multiple_of(PROCESSES) { first } else { second }
    }

    /// Their doors.
    pub fn doors(&self) -> &Doors {
        let [first, second] = &self.doors;
        if self.turn.load(Ordering::Relaxed).is_multiple_of(PROCESSES) { first } else { second }
    }

    /// Turns to the other processes, after a moment.
    pub async fn turn(&self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
        self.ledger.retried();
        tokio::time::sleep(PAUSE).await;
    }

    /// Asks once.
    pub async fn attempt<T, Answer>(&self, call: impl FnOnce(Clients) -> Answer) -> Outcome<Attempt<T>>
    where
        Answer: Future<Output = Outcome<Result<Response<T>, Status>>>,
    {
        let answered = tokio::time::timeout(CALL_TIME_MAX, call(self.clients().clone())).await;
        let attempt = match answered {
            Ok(answered) => match answered? {
                Ok(response) => Attempt::Done(response.into_inner()),
                Err(status) if is_away(&status) => Attempt::Away,
                Err(status) => Attempt::Refused(status),
            },
            Err(_) => Attempt::Away,
        };
        if matches!(attempt, Attempt::Away) {
            self.turn().await;
        }
        Ok(attempt)
    }

    /// Asks until somebody answers: for what may be asked twice without harm.
    pub async fn ask<T, Answer>(&self, limit: Duration, call: impl Fn(Clients) -> Answer) -> Outcome<Result<T, Status>>
    where
        Answer: Future<Output = Outcome<Result<Response<T>, Status>>>,
    {
        let started = Instant::now();
        loop {
            match self.attempt(&call).await? {
                Attempt::Done(answer) => return Ok(Ok(answer)),
                Attempt::Refused(status) => return Ok(Err(status)),
                Attempt::Away if started.elapsed() > limit => {
                    return Ok(Err(Status::deadline_exceeded("nobody answered")));
                }
                Attempt::Away => {}
            }
        }
    }
}

/// Whether a call may be tried again elsewhere: the service says so, or the connection broke, which tonic tells by the
/// cause that it keeps (an answer that a service sent has none).
pub fn is_away(status: &Status) -> bool {
    status.code() == Code::Unavailable || std::error::Error::source(status).is_some()
}

/// A lazy connection with the certificate of people and programs.
pub fn channel(door: Door, deployed: &Deployed) -> Outcome<Channel> {
    Ok(Endpoint::from_shared(format!("https://{}", door.grpc))?
        .tls_config(deployed.tls()?)?
        .connect_timeout(CONNECT_TIME_MAX)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true)
        .connect_lazy())
}

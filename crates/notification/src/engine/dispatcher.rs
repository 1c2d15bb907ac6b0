//! The one task that decides who sends next.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{DatabaseBackend, DbErr};
use tocsin_domain::channel::Channel;
use tocsin_domain::notice::NoticeState;
use tocsin_platform::lifecycle::Shutdown;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tracing::warn;

use super::attempt::{self, Hindrance};
use super::claim::{CLAIM_MAX, Claimed, claim, release_leases};
use super::held::Held;
use super::lease::AgreedTime;
use super::pace::Pace;
use super::relief::Relief;
use super::slots::{LANES, Limit, Slots};
use super::{Command, Done, EngineEnds, ORDINARY_MAX, Ready, Withdrawn};
use crate::channel::{Attempted, Outcome};
use crate::office::Office;
use crate::sms::OPEN_A_REQUEST;

/// How often what is due is looked for without being woken.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The pause after a claim that failed.
const CLAIM_PAUSE: Duration = Duration::from_millis(500);
/// A claim of other than urgent notices is made only with this much room in memory.
const CLAIM_ROOM: usize = 512;
/// How long a withdrawal is remembered for notices that are still on their way to memory.
const WITHDRAWN_KEPT: Duration = Duration::from_mins(2);
/// The most withdrawals remembered.
const WITHDRAWN_MAX: usize = 10_000;

struct Dispatcher {
    office: Arc<Office>,
    slots: Slots<Ready>,
    /// Of e-mail, SMS, webhooks, Signal and Matrix.
    terms: [Terms; 5],
    holds: Held,
    relief: Relief,
    running: JoinSet<Finished>,
    results: mpsc::UnboundedSender<Done>,
    withdrawn: VecDeque<(Instant, Withdrawn)>,
    held: Arc<AtomicUsize>,
    due: Arc<Notify>,
    claiming: Option<JoinHandle<Result<Claimed, DbErr>>>,
    claim_pace: Pace,
    look_at: tokio::time::Instant,
    time: AgreedTime,
}

/// What holds for a channel.
#[derive(Clone, Copy)]
struct Terms {
    limit: Limit,
    /// How long an attempt usually takes at most. A mail server may take longer, up to the lease's end.
    usual: Duration,
}

/// A send that has ended, with where it went.
struct Finished {
    destination: i64,
    lane: usize,
    done: Done,
}

/// Runs until the drain; what is in flight then ends, and what waits is given back.
pub(crate) async fn run(
    office: Arc<Office>,
    ends: EngineEnds,
    results: mpsc::UnboundedSender<Done>,
    shutdown: Shutdown,
) -> Result<(), Infallible> {
    // With SQLite this is the only process: whoever held these leases is gone.
    if office.database.backend() == DatabaseBackend::Sqlite
        && let Err(error) = release_leases(&office, true).await
    {
        warn!(reason = %error, "leases of the last run could not be given up; they run out by themselves");
    }
    let EngineEnds { mut commands, due, held, breakers } = ends;
    let mut dispatcher = Dispatcher {
        terms: terms(&office),
        holds: Held::default(),
        relief: Relief::new(Arc::clone(&office), breakers),
        slots: Slots::new(office.config.slots),
        running: JoinSet::new(),
        results,
        withdrawn: VecDeque::new(),
        held,
        due,
        claiming: None,
        claim_pace: Pace::of(CLAIM_MAX),
        look_at: tokio::time::Instant::now(),
        time: AgreedTime::of(office.clock.now()),
        office,
    };
    while !shutdown.is_draining() {
        dispatcher.start_what_may();
        dispatcher.step(&mut commands, &shutdown).await;
    }
    dispatcher.drain().await;
    Ok(())
}

fn terms(office: &Office) -> [Terms; 5] {
    let config = &office.config;
    let terms = |in_flight_max, urgent_extra, seconds: u32| Terms {
        limit: Limit { in_flight_max, urgent_extra },
        usual: Duration::from_secs(seconds.into()),
    };
    // Of text messages more may be open than requests are made, the last third urgent ones.
    let requests = config.sms.in_flight_max;
    [
        terms(config.email.connections_max, 0, config.email.command_seconds),
        terms(requests.saturating_mul(OPEN_A_REQUEST - 1), requests, config.sms.answer_seconds),
        terms(config.webhook.in_flight_max, 1, config.webhook.total_seconds),
        terms(config.signal.in_flight_max, 1, config.signal.answer_seconds),
        terms(config.matrix.in_flight_max, 1, config.matrix.answer_seconds),
    ]
}

/// How many lanes a claim is made for: with the memory full, the urgent one alone.
fn lanes_to_claim(held: usize) -> usize {
    if held.saturating_add(CLAIM_ROOM) <= ORDINARY_MAX { LANES } else { 1 }
}

impl Dispatcher {
    fn terms_of(&self, ready: &Ready) -> Terms {
        match ready.notice.channel.parse() {
            Ok(Channel::Sms) => self.terms[1],
            Ok(Channel::Webhook) => self.terms[2],
            Ok(Channel::Signal) => self.terms[3],
            Ok(Channel::Matrix) => self.terms[4],
            _ => self.terms[0],
        }
    }

    async fn step(&mut self, commands: &mut mpsc::UnboundedReceiver<Command>, shutdown: &Shutdown) {
        let due = Arc::clone(&self.due);
        let (may_claim, look_at) = (self.claiming.is_none(), self.look_at);
        tokio::select! {
            biased;
            () = shutdown.draining() => {}
            Some(command) = commands.recv() => self.obey(command),
            Some(ended) = self.running.join_next() => match ended {
                Ok(finished) => self.finish(finished),
                Err(error) => warn!(reason = %error, "an attempt was cut off; its notice is sent again after a restart"),
            },
            claimed = ended_claim(&mut self.claiming) => self.take_in(claimed),
            () = due.notified(), if may_claim => self.claim(),
            () = tokio::time::sleep_until(look_at), if may_claim => self.claim(),
        }
    }

    fn claim(&mut self) {
        self.look_at = tokio::time::Instant::now() + LOOK_INTERVAL;
        let lanes = lanes_to_claim(self.held.load(Ordering::Relaxed));
        let mut saturated = self.slots.saturated();
        let resting = self.relief.resting();
        // What is urgent and due is claimed in any case.
        for lane in saturated.iter_mut().skip(1) {
            lane.splice(0..0, resting.iter().copied());
        }
        let saturated = saturated.into_iter().take(lanes).collect();
        let most = self.claim_pace.size();
        self.claiming = Some(tokio::spawn(claim(Arc::clone(&self.office), saturated, most)));
    }

    fn take_in(&mut self, claimed: Result<Claimed, DbErr>) {
        self.claiming = None;
        match claimed {
            Ok(claimed) => {
                let wait = claimed.next.unwrap_or(LOOK_INTERVAL).min(LOOK_INTERVAL);
                self.look_at = tokio::time::Instant::now() + wait;
                self.time = claimed.time;
                self.claim_pace.note(claimed.ready.len(), claimed.took);
                self.held.fetch_add(claimed.ready.len(), Ordering::Relaxed);
                self.enqueue(claimed.ready);
            }
            Err(error) => {
                warn!(reason = %error, "due notices could not be claimed; trying again");
                self.look_at = tokio::time::Instant::now() + CLAIM_PAUSE;
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Start(ready) => self.enqueue(ready),
            Command::Withdraw(withdrawn) => self.withdraw(withdrawn),
            Command::Recorded(ended) => {
                self.held.fetch_sub(ended.len(), Ordering::Relaxed);
                for (notice_id, attempts) in ended {
                    self.holds.let_go(notice_id, attempts);
                }
            }
        }
    }

    fn enqueue(&mut self, ready: Vec<Ready>) {
        for one in ready {
            if !self.holds.take(one.notice.notice_id, one.notice.attempts, one.lease_ends) {
                self.held.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let limit = self.terms_of(&one).limit;
            let lane = usize::try_from(one.notice.lane).unwrap_or(0);
            self.slots.push(one.notice.destination, lane, limit, one);
        }
    }

    /// Takes what is covered out of the line, and remembers it for what is still on its way here.
    fn withdraw(&mut self, withdrawn: Withdrawn) {
        if self.withdrawn.iter().any(|(_, known)| *known == withdrawn) {
            return;
        }
        for ready in self.slots.withdraw(|ready| withdrawn.covers(&ready.notice)) {
            self.withhold_withdrawn(ready, withdrawn.reason.clone());
        }
        self.withdrawn.retain(|(since, _)| since.elapsed() < WITHDRAWN_KEPT);
        if self.withdrawn.len() >= WITHDRAWN_MAX {
            self.withdrawn.pop_front();
        }
        self.withdrawn.push_back((Instant::now(), withdrawn));
    }

    fn withhold_withdrawn(&self, mut ready: Ready, reason: String) {
        ready.notice.withdrawn_reason = Some(reason);
        self.withhold(ready, Outcome::Withheld { state: NoticeState::Withdrawn, reason: "withdrawn" });
    }

    /// Nothing was sent, and the row is told so.
    fn withhold(&self, ready: Ready, outcome: Outcome) {
        let now = self.office.clock.now();
        let (answer, gateway) = (None, None);
        let done = Done { ready, outcome, answer, gateway, started_at: now, ended_at: now, degraded: false };
        let _ = self.results.send(done);
    }

    fn start_what_may(&mut self) {
        let now = self.time.now();
        while let Some((destination, lane, mut ready)) = self.slots.next() {
            ready.lease_ends = self.holds.lease_ends(ready.notice.notice_id).unwrap_or(ready.lease_ends);
            let covered = self.withdrawn.iter().find(|(_, withdrawn)| withdrawn.covers(&ready.notice));
            if let Some((_, withdrawn)) = covered {
                let reason = withdrawn.reason.clone();
                self.slots.release(destination, lane, None);
                self.withhold_withdrawn(ready, reason);
                continue;
            }
            match attempt::hindrance(&ready, self.terms_of(&ready).usual, now) {
                Some(Hindrance::LeaseOver) => {
                    self.slots.release(destination, lane, None);
                    self.held.fetch_sub(1, Ordering::Relaxed);
                    self.holds.let_go(ready.notice.notice_id, ready.notice.attempts);
                }
                Some(Hindrance::Withheld(outcome)) => {
                    self.slots.release(destination, lane, None);
                    self.withhold(ready, outcome);
                }
                None => match self.relief.put_off(destination, &ready) {
                    Some(outcome) => {
                        self.slots.release(destination, lane, None);
                        self.withhold(ready, outcome);
                    }
                    None => self.start(destination, lane, ready),
                },
            }
        }
    }

    fn start(&mut self, destination: i64, lane: usize, ready: Ready) {
        let office = Arc::clone(&self.office);
        self.running.spawn(async move {
            let started_at = office.clock.now();
            let Attempted { outcome, answer, gateway } = attempt::make(&office, &ready).await;
            let ended_at = office.clock.now();
            let done = Done { ready, outcome, answer, gateway, started_at, ended_at, degraded: false };
            Finished { destination, lane, done }
        });
    }

    fn finish(&mut self, mut finished: Finished) {
        let throttled = match &finished.done.outcome {
            Outcome::Taken { .. } => Some(false),
            Outcome::Temporary { throttled: true, .. } => Some(true),
            _ => None,
        };
        finished.done.degraded = self.relief.hear(finished.destination, &finished.done);
        self.slots.release(finished.destination, finished.lane, throttled);
        // The recorder outlives this task; if it is gone, so is the process.
        let _ = self.results.send(finished.done);
    }

    /// Lets what is in flight end. Whatever the grace period cuts off is repeated after its lease.
    async fn drain(mut self) {
        while let Some(ended) = self.running.join_next().await {
            if let Ok(finished) = ended {
                self.finish(finished);
            }
        }
    }
}

/// The claim's end; pending for ever when none is running.
async fn ended_claim(claiming: &mut Option<JoinHandle<Result<Claimed, DbErr>>>) -> Result<Claimed, DbErr> {
    match claiming {
        Some(claim) => claim.await.unwrap_or_else(|error| Err(DbErr::Custom(error.to_string()))),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_memory_still_claims_what_is_urgent() {
        assert_eq!(lanes_to_claim(0), LANES);
        assert_eq!(lanes_to_claim(ORDINARY_MAX - CLAIM_ROOM), LANES);
        assert_eq!(lanes_to_claim(ORDINARY_MAX), 1);
        assert_eq!(lanes_to_claim(usize::MAX), 1);
    }
}

//! Breakers: a destination that fails is left alone but for probes, so that what waits for it costs nobody anything.
//! Pure: whoever asks says what time it is.
//!
//! A destination is never switched off. While its breaker is open, one attempt is made at each probe, and every urgent
//! notice makes its first attempt all the same; the first success closes it.

mod evidence;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tocsin_domain::channel::Channel;

use super::slots::Destination;
use crate::config::BreakerConfig;
pub(super) use evidence::{Word, word};

/// The parts of which the window is made; the oldest leaves it as a whole.
const PARTS: usize = 12;
/// The same as a number of parts of time.
const PARTS_LONG: u64 = 12;
/// A probe whose end is not heard of for this long was cut off; another one is made.
const PROBE_LOST: Duration = Duration::from_mins(2);
/// The most contacts remembered of a failing destination.
const CONTACTS_MAX: usize = 100;
/// With more destinations than this, those that nobody sent to lately are forgotten.
const DESTINATIONS_MAX: usize = 4_096;

/// Whether an attempt may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permit {
    Go,
    /// Not before this has passed.
    Wait(Duration),
}

/// What an end did to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Opened,
    Closed,
}

/// A destination that fails, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Degraded {
    /// Names it, and tells nobody where it is.
    pub(crate) destination: i64,
    pub(crate) channel: Channel,
    /// Contacts whose attempts failed there, at most a hundred; of a gateway that all share it is a sample.
    pub(crate) contact_ids: Vec<String>,
    pub(crate) since: DateTime<Utc>,
    /// Attempts that failed: those that opened the breaker, and all since.
    pub(crate) failures: u32,
}

/// Where an attempt went, for whom, and when it ended.
pub(super) struct Ended<'a> {
    pub(super) destination: Destination,
    pub(super) channel: Channel,
    pub(super) contact_id: &'a str,
    pub(super) now: Instant,
    /// The same moment, as people read it.
    pub(super) at: DateTime<Utc>,
}

struct Open {
    since: DateTime<Utc>,
    wait: Duration,
    probe_at: Instant,
    /// When the probe that is in flight began.
    probing: Option<Instant>,
}

impl Open {
    fn is_probing(&self, now: Instant) -> bool {
        self.probing.is_some_and(|began| now.saturating_duration_since(began) < PROBE_LOST)
    }

    fn may_probe(&self, now: Instant) -> bool {
        now >= self.probe_at && !self.is_probing(now)
    }
}

/// Attempts that ended in one part of the window.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    number: u64,
    ended: u32,
    failed: u32,
}

struct Breaker {
    channel: Channel,
    in_a_row: u32,
    failures: u32,
    parts: [Part; PARTS],
    contacts: BTreeSet<String>,
    last: Instant,
    open: Option<Open>,
}

/// All destinations of this process.
pub(crate) struct Breakers {
    config: BreakerConfig,
    began: Instant,
    known: HashMap<Destination, Breaker>,
}

impl std::fmt::Debug for Breakers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Breakers({} destinations)", self.known.len())
    }
}

impl Breakers {
    pub(super) fn new(config: BreakerConfig, now: Instant) -> Self {
        Self { config, began: now, known: HashMap::new() }
    }

    /// Asks for an attempt. `presses` says that it is an urgent notice's first, which is made in any case.
    pub(super) fn ask(&mut self, destination: Destination, presses: bool, now: Instant) -> Permit {
        let Some(open) = self.known.get_mut(&destination).and_then(|breaker| breaker.open.as_mut()) else {
            return Permit::Go;
        };
        if open.may_probe(now) {
            open.probing = Some(now);
            return Permit::Go;
        }
        if presses {
            return Permit::Go;
        }
        // While a probe is in flight, the next one is due a wait after it at the earliest.
        let next = if now < open.probe_at { open.probe_at } else { now + open.wait };
        Permit::Wait(next.saturating_duration_since(now))
    }

    /// Hears how an attempt ended.
    pub(super) fn hear(&mut self, ended: &Ended<'_>, word: Word) -> Option<Change> {
        if word == Word::Nothing {
            let open = self.known.get_mut(&ended.destination)?.open.as_mut()?;
            open.probing = None;
            return None;
        }
        let part = self.part(ended.now);
        if self.known.len() >= DESTINATIONS_MAX && !self.known.contains_key(&ended.destination) {
            self.forget_idle(ended.now);
        }
        let breaker = self.known.entry(ended.destination).or_insert_with(|| Breaker {
            channel: ended.channel,
            in_a_row: 0,
            failures: 0,
            parts: [Part::default(); PARTS],
            contacts: BTreeSet::new(),
            last: ended.now,
            open: None,
        });
        breaker.last = ended.now;
        match word {
            Word::Well => breaker.answered(ended.contact_id, part),
            _ => breaker.failed(&self.config, ended, part),
        }
    }

    /// Whether attempts there are only probes at present.
    pub(super) fn is_open(&self, destination: Destination) -> bool {
        self.known.get(&destination).is_some_and(|breaker| breaker.open.is_some())
    }

    /// The destinations for which nothing ordinary may start now.
    pub(super) fn resting(&self, now: Instant) -> Vec<Destination> {
        let rests = |breaker: &Breaker| breaker.open.as_ref().is_some_and(|open| !open.may_probe(now));
        self.known.iter().filter(|(_, breaker)| rests(breaker)).map(|(destination, _)| *destination).collect()
    }

    /// How many of a channel's destinations fail.
    pub(super) fn count_open(&self, channel: Channel) -> usize {
        self.known.values().filter(|breaker| breaker.channel == channel && breaker.open.is_some()).count()
    }

    /// The destinations that fail, those that fail longest first.
    pub(super) fn degraded(&self) -> Vec<Degraded> {
        let known = self.known.iter();
        let mut degraded: Vec<Degraded> =
            known.filter_map(|(destination, breaker)| breaker.degraded(*destination)).collect();
        degraded.sort_by_key(|one| (one.since, one.destination));
        degraded
    }

    /// When this process began to watch.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    fn window(&self) -> Duration {
        Duration::from_secs(self.config.window_seconds.into())
    }

    /// The number of the window's part in which a moment lies.
    fn part(&self, now: Instant) -> u64 {
        let part_ms = u128::from(self.config.window_seconds) * 1_000 / u128::from(PARTS_LONG);
        u64::try_from(now.saturating_duration_since(self.began).as_millis() / part_ms.max(1)).unwrap_or(u64::MAX)
    }

    fn forget_idle(&mut self, now: Instant) {
        let window = self.window();
        let lately = |breaker: &Breaker| now.saturating_duration_since(breaker.last) < window;
        self.known.retain(|_, breaker| breaker.open.is_some() || lately(breaker));
    }
}

impl Breaker {
    fn answered(&mut self, contact_id: &str, part: u64) -> Option<Change> {
        self.in_a_row = 0;
        self.contacts.remove(contact_id);
        self.count(part, false);
        self.open.take()?;
        // What failed before is no news any more: one more failure must not open it again.
        (self.failures, self.parts) = (0, [Part::default(); PARTS]);
        self.contacts.clear();
        Some(Change::Closed)
    }

    fn failed(&mut self, config: &BreakerConfig, ended: &Ended<'_>, part: u64) -> Option<Change> {
        self.count(part, true);
        if self.contacts.len() < CONTACTS_MAX {
            self.contacts.insert(ended.contact_id.to_owned());
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let wait_max = Duration::from_secs(config.probe_seconds_max.into());
        if let Some(open) = &mut self.open {
            self.failures = self.failures.saturating_add(1);
            // Only a probe that was due makes the next one rarer: a crowd of urgent notices must not.
            if ended.now >= open.probe_at {
                open.wait = (open.wait * 2).min(wait_max);
                open.probe_at = ended.now + open.wait;
                open.probing = None;
            }
            return None;
        }
        let (attempts, failed) = self.within_window(part);
        let half = attempts >= config.window_attempts_min && failed * 2 >= attempts;
        if self.in_a_row < config.failures_max && !half {
            return None;
        }
        self.failures = failed.max(self.in_a_row);
        let wait = Duration::from_secs(config.probe_seconds.into());
        self.open = Some(Open { since: ended.at, wait, probe_at: ended.now + wait, probing: None });
        Some(Change::Opened)
    }

    fn count(&mut self, number: u64, failed: bool) {
        let place = usize::try_from(number % PARTS_LONG).unwrap_or(0);
        let Some(part) = self.parts.get_mut(place) else { return };
        if part.number != number {
            *part = Part { number, ..Part::default() };
        }
        part.ended = part.ended.saturating_add(1);
        part.failed = part.failed.saturating_add(u32::from(failed));
    }

    /// How many attempts ended within the window, and how many of them failed.
    fn within_window(&self, number: u64) -> (u32, u32) {
        let counts = self.parts.iter().filter(|part| part.number + PARTS_LONG > number);
        counts.fold((0, 0), |(ended, failed), part| (ended + part.ended, failed + part.failed))
    }

    fn degraded(&self, destination: Destination) -> Option<Degraded> {
        let open = self.open.as_ref()?;
        Some(Degraded {
            destination,
            channel: self.channel,
            contact_ids: self.contacts.iter().cloned().collect(),
            since: open.since,
            failures: self.failures,
        })
    }
}

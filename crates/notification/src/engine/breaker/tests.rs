//! Breakers with a clock of their own.

use super::*;

const HOST: Destination = 7;

/// Breakers with a clock of their own.
struct World {
    breakers: Breakers,
    now: Instant,
    at: DateTime<Utc>,
}

impl World {
    fn new() -> Self {
        let config = BreakerConfig {
            failures_max: 5,
            window_seconds: 60,
            window_attempts_min: 10,
            probe_seconds: 15,
            probe_seconds_max: 300,
        };
        let now = Instant::now();
        let at = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        Self { breakers: Breakers::new(config, now), now, at }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn hear(&mut self, word: Word) -> Option<Change> {
        let ended =
            Ended { destination: HOST, channel: Channel::Webhook, contact_id: "org-1-c1", now: self.now, at: self.at };
        self.breakers.hear(&ended, word)
    }

    fn ordinary(&mut self) -> Permit {
        self.breakers.ask(HOST, false, self.now)
    }

    fn opened() -> Self {
        let mut world = Self::new();
        for _ in 0..5 {
            world.hear(Word::Failed);
        }
        assert!(world.breakers.is_open(HOST));
        world
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn five_failures_in_a_row_open_it() {
    let mut world = World::new();
    for _ in 0..4 {
        assert_eq!(world.hear(Word::Failed), None);
    }
    world.hear(Word::Well);
    for _ in 0..4 {
        assert_eq!(world.hear(Word::Failed), None);
    }
    assert_eq!(world.ordinary(), Permit::Go);
    assert_eq!(world.hear(Word::Failed), Some(Change::Opened));
    assert_eq!(world.ordinary(), Permit::Wait(seconds(15)));
    assert_eq!(world.breakers.resting(world.now), [HOST]);
    assert_eq!(world.breakers.count_open(Channel::Webhook), 1);
    assert_eq!(world.breakers.count_open(Channel::Email), 0);
}

#[test]
fn half_of_ten_within_a_minute_opens_it() {
    let mut world = World::new();
    for word in [Word::Failed, Word::Well, Word::Failed, Word::Well, Word::Failed, Word::Well, Word::Failed] {
        assert_eq!(world.hear(word), None);
        world.pass(5);
    }
    assert_eq!((world.hear(Word::Well), world.hear(Word::Well)), (None, None));
    assert_eq!(world.hear(Word::Failed), Some(Change::Opened));
    assert_eq!(world.breakers.degraded()[0].failures, 5);
}

#[test]
fn what_is_older_than_the_window_does_not_count() {
    let mut world = World::new();
    for _ in 0..4 {
        world.hear(Word::Failed);
        world.hear(Word::Well);
    }
    world.pass(66);
    assert_eq!((world.hear(Word::Well), world.hear(Word::Failed)), (None, None));
    // A destination with many successes is not failing because of a few failures.
    for _ in 0..50 {
        world.hear(Word::Well);
    }
    for _ in 0..20 {
        assert_eq!((world.hear(Word::Failed), world.hear(Word::Well)), (None, None));
    }
}

#[test]
fn probes_come_after_15_seconds_and_double_to_five_minutes() {
    let mut world = World::opened();
    for wait in [15, 30, 60, 120, 240, 300, 300] {
        assert_eq!(world.ordinary(), Permit::Wait(seconds(wait)));
        world.pass(wait - 1);
        assert_eq!(world.ordinary(), Permit::Wait(seconds(1)));
        world.pass(1);
        assert!(world.breakers.resting(world.now).is_empty());
        assert_eq!(world.ordinary(), Permit::Go);
        assert_eq!(world.breakers.resting(world.now), [HOST], "one probe at a time");
        assert!(matches!(world.ordinary(), Permit::Wait(_)));
        assert_eq!(world.hear(Word::Failed), None);
    }
}

#[test]
fn the_first_success_closes_it() {
    let mut world = World::opened();
    assert_eq!(world.breakers.degraded()[0].contact_ids, ["org-1-c1"]);
    assert_eq!(world.breakers.degraded()[0].since, world.at);
    world.pass(15);
    assert_eq!(world.ordinary(), Permit::Go);
    assert_eq!(world.hear(Word::Well), Some(Change::Closed));
    assert_eq!((world.ordinary(), world.breakers.degraded()), (Permit::Go, vec![]));
    assert_eq!(world.hear(Word::Failed), None, "what failed before it closed is forgotten");
}

#[test]
fn every_urgent_notice_makes_its_first_attempt() {
    let mut world = World::opened();
    for _ in 0..300 {
        assert_eq!(world.breakers.ask(HOST, true, world.now), Permit::Go);
        assert_eq!(world.hear(Word::Failed), None);
    }
    assert_eq!(world.ordinary(), Permit::Wait(seconds(15)), "their failures make probes no rarer");
    assert_eq!(world.breakers.degraded()[0].failures, 305);
    assert_eq!(world.breakers.ask(HOST, true, world.now), Permit::Go);
    assert_eq!(world.hear(Word::Well), Some(Change::Closed));
}

#[test]
fn a_probe_that_says_nothing_or_is_lost_is_made_again() {
    let mut world = World::opened();
    world.pass(15);
    assert_eq!(world.ordinary(), Permit::Go);
    assert_eq!(world.hear(Word::Nothing), None);
    assert_eq!(world.ordinary(), Permit::Go);
    world.pass(119);
    assert_eq!(world.ordinary(), Permit::Wait(seconds(15)));
    world.pass(1);
    assert_eq!(world.ordinary(), Permit::Go);
}

#[test]
fn destinations_that_nobody_sends_to_are_forgotten() {
    let mut world = World::opened();
    for destination in 100..100 + i64::try_from(DESTINATIONS_MAX).unwrap() * 2 {
        let ended = Ended {
            destination,
            channel: Channel::Webhook,
            contact_id: "org-2-c1",
            now: world.now + seconds(u64::try_from(destination).unwrap()),
            at: world.at,
        };
        world.breakers.hear(&ended, Word::Failed);
    }
    assert!(world.breakers.known.len() <= DESTINATIONS_MAX, "{:?}", world.breakers);
    assert!(world.breakers.is_open(HOST), "but never one that fails");
}

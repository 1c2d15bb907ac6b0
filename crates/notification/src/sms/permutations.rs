//! Whatever a gateway, a network or a crash does, in whatever order: no state regresses, no gateway repeats a message more
//! often than once and once more for each crash, and no notice is left without a next step or an end that explains itself.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tocsin_domain::notice::{NoticeState as State, advance};
use uuid::Uuid;

use super::ledger::{self, Choice, Patience, Standing, Step, Usable};
use crate::channel::Outcome;
use crate::entity::sms::submission::Model as Submission;

const PATIENCE: Patience = Patience { receipt_ms: 120_000, give_up_ms: 86_400_000, attempt_ms: 5_000 };
const LEASE_MS: i64 = 30_000;
const GATEWAYS: [&str; 3] = ["a", "b", "c"];

/// What happens to the attempt in flight.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Accepted,
    /// 200 without a status.
    Unsaid,
    Busy,
    /// The gateway wants nothing from us.
    Locked,
    /// It says that there is no such number.
    Refused,
    Timeout,
    /// The process dies after it was sent; the lease runs out.
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Attempt(End),
    Receipt(usize, State),
    Wait(i64),
    Withdraw,
    Pause(usize, bool),
}

/// A notice with the engine, the watch and the gateways around it.
#[derive(Debug)]
struct World {
    state: State,
    /// The engine tries again then.
    next_at: Option<i64>,
    look_at: Option<i64>,
    give_up_at: i64,
    now: i64,
    withdrawn: bool,
    gateways: Vec<Usable>,
    submissions: Vec<Submission>,
    /// How often each gateway was given the message without refusing it.
    given: BTreeMap<String, u32>,
    /// How often we died over a send to it.
    crashes: BTreeMap<String, u32>,
    delivered: bool,
    attempts: u32,
}

impl World {
    fn new(gateways: usize) -> Self {
        let gateways = GATEWAYS.iter().take(gateways);
        Self {
            state: State::Queued,
            next_at: Some(0),
            look_at: None,
            give_up_at: PATIENCE.give_up_ms,
            now: 0,
            withdrawn: false,
            gateways: gateways.map(|name| Usable { name: (*name).to_owned(), paused: false }).collect(),
            submissions: Vec::new(),
            given: BTreeMap::new(),
            crashes: BTreeMap::new(),
            delivered: false,
            attempts: 0,
        }
    }

    fn standing(&self) -> Standing<'_> {
        Standing {
            state: self.state,
            urgent: true,
            withdrawn: self.withdrawn,
            in_flight: false,
            give_up_at_ms: self.give_up_at,
            gateways: &self.gateways,
            submissions: &self.submissions,
        }
    }

    fn submission(&mut self, gateway: &str) -> &mut Submission {
        if !self.submissions.iter().any(|one| one.gateway == gateway) {
            self.submissions.push(ledger::fresh(Uuid::nil(), gateway));
        }
        self.submissions.iter_mut().find(|one| one.gateway == gateway).unwrap()
    }

    fn become_state(&mut self, state: State) {
        let next = advance(self.state, state);
        assert!(next >= self.state);
        self.state = next;
        if next != State::Queued {
            self.next_at = None;
        }
    }

    /// The engine makes an attempt if one is due.
    fn attempt(&mut self, end: End) {
        if self.next_at.is_none_or(|at| at > self.now) {
            return;
        }
        self.next_at = None;
        if self.withdrawn && self.state == State::Queued {
            return self.become_state(State::Withdrawn);
        }
        match ledger::choose(&self.standing(), PATIENCE, self.now) {
            Choice::Send(gateway) => self.send(&gateway, end),
            other => {
                let outcome = ledger::without_sending(&other, self.state, &self.submissions);
                self.conclude(&outcome);
            }
        }
    }

    fn send(&mut self, gateway: &str, end: End) {
        let taken_before = self.submission(gateway).taken_at_ms.is_some();
        assert!(!taken_before, "a gateway that took it is never given it again");
        let now = self.now;
        ledger::begin(self.submission(gateway), now);
        let outcome = match end {
            End::Accepted => {
                Outcome::Taken { state: State::Accepted, code: "ok".to_owned(), provider_id: Some("id".to_owned()) }
            }
            End::Unsaid => Outcome::taken(State::HandedToGateway, "http_200"),
            End::Busy => Outcome::temporary("http_503"),
            End::Locked => Outcome::Refused { code: "http_401".to_owned(), tries: 3 },
            End::Refused => Outcome::Refused { code: "http_400".to_owned(), tries: 1 },
            End::Timeout | End::Crash => Outcome::temporary("timeout"),
        };
        if !matches!(end, End::Busy | End::Locked | End::Refused) {
            *self.given.entry(gateway.to_owned()).or_default() += 1;
        }
        if end == End::Crash {
            // Nothing is recorded, and the lease runs out.
            *self.crashes.entry(gateway.to_owned()).or_default() += 1;
            self.next_at = Some(self.now + LEASE_MS);
            return;
        }
        ledger::end(self.submission(gateway), &outcome, PATIENCE, now);
        let news = match &outcome {
            Outcome::Taken { state, .. } => Some(*state),
            _ => None,
        };
        let state = advance(self.state, news.unwrap_or(self.state));
        let standing = Standing { state, ..self.standing() };
        let (step, goes_on) = (ledger::next(&standing, PATIENCE, self.now), ledger::may_go_on(&standing));
        self.look(ledger::watched(step, self.now));
        let row = self.submission(gateway).clone();
        let outcome = ledger::outcome_of(&outcome, self.state, &row, news, step, goes_on);
        self.conclude(&outcome);
    }

    /// What the engine makes of an outcome.
    fn conclude(&mut self, outcome: &Outcome) {
        if let Outcome::Postponed { seconds, .. } = outcome {
            self.next_at = (self.state == State::Queued).then_some(self.now + i64::from(*seconds) * 1_000);
            return;
        }
        self.attempts += 1;
        match outcome {
            Outcome::Taken { state, .. } | Outcome::Withheld { state, .. } => self.become_state(*state),
            Outcome::Refused { tries, .. } if self.attempts >= u32::try_from(*tries).unwrap() => {
                self.become_state(State::RejectedPermanent);
            }
            Outcome::Temporary { .. } if self.attempts > 16 => self.become_state(State::FailedTemporary),
            Outcome::Temporary { .. } | Outcome::Refused { .. } if self.state == State::Queued => {
                self.next_at = Some(self.now + 5_000);
            }
            _ => {}
        }
    }

    fn receipt(&mut self, gateway: usize, told: State) {
        let Some(gateway) = self.gateways.get(gateway).map(|one| one.name.clone()) else { return };
        let now = self.now;
        let heard = ledger::hear(self.submission(&gateway), told, now);
        self.become_state(heard);
        self.delivered |= told == State::Delivered;
        self.review();
    }

    /// What the watch and the receipts' recorder do.
    fn review(&mut self) {
        let step = ledger::next(&self.standing(), PATIENCE, self.now);
        match step {
            Step::SendNow => {
                self.next_at = Some(self.now);
                self.look(Step::LookAt(self.now + PATIENCE.attempt_ms));
            }
            Step::End(state, _) => {
                self.look(step);
                self.become_state(state);
            }
            Step::Rest | Step::LookAt(_) => self.look(step),
        }
    }

    fn look(&mut self, step: Step) {
        self.look_at = match step {
            Step::Rest | Step::End(..) => None,
            Step::LookAt(at) => {
                assert!(at > self.now, "the watch does not spin");
                Some(at)
            }
            Step::SendNow => unreachable!("whoever looks then has sent"),
        };
    }

    /// Time passes; whatever falls due meanwhile happens, and the gateways are busy.
    fn wait(&mut self, milliseconds: i64) {
        let until = self.now + milliseconds;
        for _ in 0..10_000 {
            let due = [self.look_at, self.next_at].into_iter().flatten().min().filter(|at| *at <= until);
            let Some(at) = due else { break };
            self.now = self.now.max(at);
            if self.look_at.is_some_and(|at| at <= self.now) {
                self.look_at = None;
                self.review();
            }
            self.attempt(End::Busy);
        }
        self.now = until;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Attempt(end) => self.attempt(end),
            Event::Receipt(gateway, state) => self.receipt(gateway, state),
            Event::Wait(milliseconds) => self.wait(milliseconds),
            Event::Withdraw => self.withdrawn = true,
            Event::Pause(gateway, paused) => {
                if let Some(one) = self.gateways.get_mut(gateway) {
                    one.paused = paused;
                }
            }
        }
    }

    fn check(&self) {
        for (gateway, given) in &self.given {
            let allowed = 2 + self.crashes.get(gateway).copied().unwrap_or(0);
            assert!(*given <= allowed, "one repeat a gateway, and one a crash: {self:?}");
        }
        if self.delivered {
            assert_eq!(self.state, State::Delivered, "a delivery is never lost");
        }
    }

    /// At the end of all waiting everything is explained.
    fn check_end(&mut self) {
        for gateway in &mut self.gateways {
            gateway.paused = false;
        }
        self.wait(PATIENCE.give_up_ms * 3);
        self.check();
        let heard = self.submissions.iter().any(|one| one.heard && !one.failed);
        let explained = self.state.is_reached() || self.state.is_end() || heard;
        assert!(explained, "silence: {self:?}");
    }
}

fn an_event() -> impl Strategy<Value = Event> {
    let end = prop::sample::select(vec![
        End::Accepted,
        End::Unsaid,
        End::Busy,
        End::Locked,
        End::Refused,
        End::Timeout,
        End::Crash,
    ]);
    let told =
        prop::sample::select(vec![State::HandedToGateway, State::Accepted, State::Delivered, State::RejectedPermanent]);
    prop_oneof![
        4 => end.prop_map(Event::Attempt),
        4 => (0_usize..3, told).prop_map(|(gateway, told)| Event::Receipt(gateway, told)),
        4 => prop::sample::select(vec![1, 4_000, 31_000, 121_000, 90_000_000]).prop_map(Event::Wait),
        1 => Just(Event::Withdraw),
        1 => (0_usize..3, any::<bool>()).prop_map(|(gateway, paused)| Event::Pause(gateway, paused)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn nothing_regresses_repeats_or_falls_silent(
        gateways in 1_usize..=3,
        events in prop::collection::vec(an_event(), 0..24),
    ) {
        let mut world = World::new(gateways);
        for event in events {
            world.happen(event);
            world.check();
        }
        world.check_end();
    }

    #[test]
    fn the_order_of_receipts_does_not_matter(
        (told, shuffled) in prop::collection::vec((0_usize..2, prop::sample::select(vec![
            State::HandedToGateway, State::Accepted, State::Delivered, State::RejectedPermanent,
        ])), 1..8).prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle())),
        before in 0_usize..8,
    ) {
        let end = |told: &[(usize, State)], before: usize| {
            let mut world = World::new(2);
            for (index, (gateway, state)) in told.iter().enumerate() {
                // Some come before the gateway's answer, the others after it.
                if index == before.min(told.len() - 1) {
                    world.attempt(End::Accepted);
                }
                world.receipt(*gateway, *state);
            }
            world.check_end();
            (world.state.is_reached(), world.delivered)
        };
        let (first, second) = (end(&told, before), end(&shuffled, 7 - before));
        prop_assert_eq!(first, second);
        prop_assert_eq!(first.0, told.iter().any(|(_, state)| *state == State::Delivered));
    }
}

#[test]
fn an_urgent_message_without_receipt_goes_to_each_gateway_once() {
    let mut world = World::new(3);
    world.attempt(End::Accepted);
    assert_eq!((world.state, world.given.len()), (State::Accepted, 1));
    world.wait(119_000);
    assert_eq!(world.given.len(), 1);
    for sent in 2..=3 {
        world.now += 1_000;
        world.look_at = None;
        world.review();
        assert_eq!(world.next_at, Some(world.now), "the next gateway is asked");
        world.attempt(End::Accepted);
        assert_eq!(world.given.len(), sent);
        world.wait(119_000);
    }
    world.wait(PATIENCE.give_up_ms * 2);
    assert_eq!(world.given, BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1), ("c".to_owned(), 1)]));
    assert_eq!(world.state, State::UnknownNoReceipt);
}

#[test]
fn a_gateway_that_refuses_us_ends_nothing_while_another_may_be_asked() {
    let mut world = World::new(2);
    for end in [End::Locked, End::Busy, End::Locked, End::Busy, End::Locked] {
        world.attempt(end);
        assert_eq!(world.state, State::Queued, "{end:?}");
        world.now = world.next_at.unwrap();
    }
    world.attempt(End::Accepted);
    assert_eq!((world.state, &world.given), (State::Accepted, &BTreeMap::from([("b".to_owned(), 1)])));
    let mut alone = World::new(1);
    for _ in 0..3 {
        assert_eq!(alone.state, State::Queued);
        alone.attempt(End::Locked);
        alone.now += 10_000;
    }
    assert_eq!(alone.state, State::RejectedPermanent);
}

#[test]
fn a_success_without_a_status_is_unknown_later_and_not_sent_again() {
    let mut world = World::new(1);
    world.attempt(End::Unsaid);
    assert_eq!(world.state, State::HandedToGateway);
    world.wait(PATIENCE.give_up_ms * 2);
    assert_eq!((world.state, world.given["a"]), (State::UnknownNoReceipt, 1));
    world.receipt(0, State::Delivered);
    assert_eq!(world.state, State::Delivered);
}

#[test]
fn what_was_withdrawn_does_not_go_to_another_gateway() {
    let mut world = World::new(2);
    world.attempt(End::Accepted);
    world.withdrawn = true;
    world.wait(PATIENCE.give_up_ms * 2);
    assert_eq!(world.given.len(), 1);
}

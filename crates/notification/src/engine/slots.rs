//! Who may send next: urgent first, fairly between destinations, never more than a destination's limit. Pure.
//!
//! A hung destination fills its own few slots and nothing else. A quarter of all slots is kept for urgent notices.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// A destination, as a keyed hash.
pub(super) type Destination = i64;

/// The lanes, urgent first.
pub(super) const LANES: usize = 3;

/// How many attempts one destination may have in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    /// Of any lane.
    pub(super) in_flight_max: usize,
    /// Further ones, for urgent notices only.
    pub(super) urgent_extra: usize,
}

struct Place<T> {
    waiting: [VecDeque<T>; LANES],
    in_flight: usize,
    limit: Limit,
    /// It asked for less: one at a time until it answers well again.
    throttled: bool,
    served: u64,
    /// Whether it stands in `ready` for each lane.
    listed: [bool; LANES],
}

impl<T> Place<T> {
    fn has_room(&self, lane: usize) -> bool {
        let limit = if self.throttled { 1 } else { self.limit.in_flight_max };
        let extra = if lane == 0 { self.limit.urgent_extra } else { 0 };
        self.in_flight < limit + extra
    }

    fn waiting(&self) -> usize {
        self.waiting.iter().map(VecDeque::len).sum()
    }
}

/// What waits and what is in flight.
pub(super) struct Slots<T> {
    total: usize,
    in_flight: [usize; LANES],
    places: HashMap<Destination, Place<T>>,
    /// Destinations that could send now, the least recently served first.
    ready: [BTreeSet<(u64, Destination)>; LANES],
    served: u64,
}

impl<T> Slots<T> {
    pub(super) fn new(total: usize) -> Self {
        Self {
            total: total.max(1),
            in_flight: [0; LANES],
            places: HashMap::new(),
            ready: std::array::from_fn(|_| BTreeSet::new()),
            served: 0,
        }
    }

    /// How many are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.iter().sum()
    }

    /// Puts one in line. Lanes beyond the last count as the last.
    pub(super) fn push(&mut self, destination: Destination, lane: usize, limit: Limit, item: T) {
        let lane = lane.min(LANES - 1);
        let place = self.places.entry(destination).or_insert_with(|| Place {
            waiting: std::array::from_fn(|_| VecDeque::new()),
            in_flight: 0,
            limit,
            throttled: false,
            served: 0,
            listed: [false; LANES],
        });
        if let Some(line) = place.waiting.get_mut(lane) {
            line.push_back(item);
        }
        self.relist(destination);
    }

    /// The next one that may start, which then is in flight.
    pub(super) fn next(&mut self) -> Option<(Destination, usize, T)> {
        if self.in_flight() >= self.total {
            return None;
        }
        let ordinary: usize = self.in_flight.iter().skip(1).sum();
        let ordinary_full = ordinary >= self.total - self.total.div_ceil(4);
        for lane in 0..LANES {
            if lane > 0 && ordinary_full {
                return None;
            }
            let Some((_, destination)) = self.ready.get(lane).and_then(|ready| ready.first().copied()) else {
                continue;
            };
            if let Some(item) = self.take(destination, lane) {
                return Some((destination, lane, item));
            }
        }
        None
    }

    fn take(&mut self, destination: Destination, lane: usize) -> Option<T> {
        self.unlist(destination);
        self.served += 1;
        let place = self.places.get_mut(&destination)?;
        let item = place.waiting.get_mut(lane)?.pop_front();
        if item.is_some() {
            place.in_flight += 1;
            place.served = self.served;
            if let Some(in_flight) = self.in_flight.get_mut(lane) {
                *in_flight += 1;
            }
        }
        self.relist(destination);
        item
    }

    /// One has ended. `throttled` says whether the destination asked for less; none leaves it as it was.
    pub(super) fn release(&mut self, destination: Destination, lane: usize, throttled: Option<bool>) {
        if let Some(in_flight) = self.in_flight.get_mut(lane) {
            *in_flight = in_flight.saturating_sub(1);
        }
        self.unlist(destination);
        if let Some(place) = self.places.get_mut(&destination) {
            place.in_flight = place.in_flight.saturating_sub(1);
            place.throttled = throttled.unwrap_or(place.throttled);
            if place.in_flight == 0 && place.waiting() == 0 && !place.throttled {
                self.places.remove(&destination);
            }
        }
        self.relist(destination);
    }

    /// For each lane, the destinations that have enough of it waiting here: claiming more for them would only let leases
    /// run out. What waits in other lanes does not count, or a backlog would hold up what is urgent.
    pub(super) fn saturated(&self) -> [Vec<Destination>; LANES] {
        std::array::from_fn(|lane| {
            let full = |place: &Place<T>| {
                place.waiting.get(lane).is_some_and(|line| line.len() >= place.limit.in_flight_max * 2)
            };
            self.places.iter().filter(|(_, place)| full(place)).map(|(destination, _)| *destination).collect()
        })
    }

    /// Takes out of the line whatever matches.
    pub(super) fn withdraw(&mut self, matches: impl Fn(&T) -> bool) -> Vec<T> {
        let mut out = Vec::new();
        let destinations: Vec<_> = self.places.keys().copied().collect();
        for destination in destinations {
            self.unlist(destination);
            if let Some(place) = self.places.get_mut(&destination) {
                for line in &mut place.waiting {
                    let (taken, kept) = std::mem::take(line).into_iter().partition(|item| matches(item));
                    *line = kept;
                    out.extend::<VecDeque<T>>(taken);
                }
            }
            self.relist(destination);
        }
        out
    }

    fn unlist(&mut self, destination: Destination) {
        if let Some(place) = self.places.get_mut(&destination) {
            for (ready, listed) in self.ready.iter_mut().zip(&mut place.listed) {
                if std::mem::take(listed) {
                    ready.remove(&(place.served, destination));
                }
            }
        }
    }

    fn relist(&mut self, destination: Destination) {
        if let Some(place) = self.places.get_mut(&destination) {
            for lane in 0..LANES {
                let wanted = place.has_room(lane) && place.waiting.get(lane).is_some_and(|line| !line.is_empty());
                let (Some(ready), Some(listed)) = (self.ready.get_mut(lane), place.listed.get_mut(lane)) else {
                    continue;
                };
                if wanted && !*listed {
                    ready.insert((place.served, destination));
                    *listed = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WEBHOOK: Limit = Limit { in_flight_max: 4, urgent_extra: 1 };

    #[test]
    fn one_host_holds_its_limit_and_urgent_one_more() {
        let mut slots = Slots::new(100);
        for number in 0..10 {
            slots.push(1, 1, WEBHOOK, number);
        }
        assert_eq!(drain(&mut slots), [0, 1, 2, 3]);
        slots.push(1, 0, WEBHOOK, 100);
        slots.push(1, 0, WEBHOOK, 101);
        assert_eq!(drain(&mut slots), [100]);
        slots.push(2, 2, WEBHOOK, 200);
        assert_eq!(drain(&mut slots), [200]);
        slots.release(1, 1, None);
        assert_eq!(drain(&mut slots), [101], "urgent overtakes what waited longer");
    }

    #[test]
    fn destinations_take_turns() {
        let mut slots = Slots::new(100);
        for (destination, number) in [(1, 10), (1, 11), (1, 12), (2, 20), (2, 21), (3, 30)] {
            slots.push(destination, 1, Limit { in_flight_max: 20, urgent_extra: 0 }, number);
        }
        let mut order = drain(&mut slots);
        let rounds: Vec<_> = order.iter().map(|number| number % 10).collect();
        assert_eq!(rounds, [0, 0, 0, 1, 1, 2]);
        order.sort_unstable();
        assert_eq!(order, [10, 11, 12, 20, 21, 30]);
    }

    #[test]
    fn a_quarter_is_kept_for_urgent() {
        let mut slots = Slots::new(8);
        for number in 0..20 {
            slots.push(number, 2, WEBHOOK, number);
        }
        assert_eq!(drain(&mut slots).len(), 6);
        for number in 100..110 {
            slots.push(number, 0, WEBHOOK, number);
        }
        assert_eq!(drain(&mut slots).len(), 2);
        assert_eq!(slots.in_flight(), 8);
    }

    #[test]
    fn a_throttled_host_gets_one_at_a_time_until_it_is_well() {
        let mut slots = Slots::new(100);
        for number in 0..6 {
            slots.push(1, 1, WEBHOOK, number);
        }
        assert_eq!(drain(&mut slots).len(), 4);
        for _ in 0..4 {
            slots.release(1, 1, Some(true));
        }
        assert_eq!(drain(&mut slots).len(), 1);
        slots.release(1, 1, Some(false));
        assert_eq!(drain(&mut slots).len(), 1);
    }

    #[test]
    fn a_backlog_saturates_its_own_lane_only() {
        let mut slots = Slots::new(100);
        for number in 0..8 {
            slots.push(1, 2, WEBHOOK, number);
        }
        slots.push(2, 0, WEBHOOK, 100);
        assert_eq!(slots.saturated(), [vec![], vec![], vec![1]]);
    }

    #[test]
    fn a_withdrawal_empties_the_line() {
        let mut slots = Slots::new(1);
        for number in 0..5 {
            slots.push(1, 0, WEBHOOK, number);
        }
        assert_eq!(drain(&mut slots), [0]);
        assert_eq!(slots.withdraw(|number| number % 2 == 1), [1, 3]);
        assert_eq!(waiting(&slots), 2);
        slots.release(1, 0, None);
        assert_eq!(drain(&mut slots), [2]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_limit_is_broken(
            pushes in prop::collection::vec((0_i64..5, 0_usize..3), 0..200),
            total in 1_usize..40,
        ) {
            let mut slots = Slots::new(total);
            for (number, (destination, lane)) in pushes.iter().enumerate() {
                slots.push(*destination, *lane, WEBHOOK, number);
            }
            let mut seen = Vec::new();
            let mut flying: Vec<(i64, usize)> = Vec::new();
            loop {
                while let Some((destination, lane, number)) = slots.next() {
                    seen.push(number);
                    flying.push((destination, lane));
                    let here = flying.iter().filter(|(other, _)| *other == destination).count();
                    prop_assert!(here <= 5 && flying.len() <= total);
                }
                let Some((destination, lane)) = flying.pop() else { break };
                slots.release(destination, lane, None);
            }
            seen.sort_unstable();
            let stuck = waiting(&slots);
            // With a single slot, which is kept for urgent, nothing else ever starts.
            let expected = if total == 1 { pushes.iter().filter(|(_, lane)| *lane == 0).count() } else { pushes.len() };
            prop_assert_eq!(seen.len(), expected);
            prop_assert_eq!(stuck, pushes.len() - expected);
        }
    }

    fn waiting<T>(slots: &Slots<T>) -> usize {
        slots.places.values().map(Place::waiting).sum()
    }

    fn drain<T>(slots: &mut Slots<T>) -> Vec<T> {
        std::iter::from_fn(|| slots.next().map(|(_, _, item)| item)).collect()
    }
}

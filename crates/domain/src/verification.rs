//! Sources: how far each can be trusted, which are independent, and whether they are enough.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::codes::{SourceLink, code_list};
use crate::priority::Priority;

code_list! {
    /// How reliable a source is, from A (completely) to F (cannot be judged), in the Admiralty code.
    Reliability in "reliability" { A = "A", B = "B", C = "C", D = "D", E = "E", F = "F" }

    /// How credible a piece of information is, from 1 (confirmed) to 6 (cannot be judged), in the Admiralty code.
    Information in "information" { One = "1", Two = "2", Three = "3", Four = "4", Five = "5", Six = "6" }
}

/// A source as a verifier recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What the source is to the event.
    pub link: SourceLink,
    /// How reliable the source is.
    pub reliability: Reliability,
    /// How credible what it says is.
    pub information: Information,
    /// Whether it saw, heard or suffered it itself.
    pub first_hand: bool,
    /// The place, in the case's list of sources, of the source whose word this one passes on. The first is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relays: Option<usize>,
}

/// How many independent sources a case has: two relays of one call are one source.
///
/// Sources that relay each other in a circle are one; a source that relays one not in the list is its own.
pub fn independent_sources(sources: &[Source]) -> usize {
    (0..sources.len()).map(|index| root(sources, index)).collect::<BTreeSet<_>>().len()
}

/// Follows the relays to where the word came from; a circle is named by its lowest index.
fn root(sources: &[Source], start: usize) -> usize {
    let mut path = vec![start];
    let mut current = start;
    while let Some(next) = sources.get(current).and_then(|source| source.relays) {
        if next >= sources.len() {
            return current;
        }
        if let Some(position) = path.iter().position(|seen| *seen == next) {
            return path.iter().skip(position).copied().min().unwrap_or(next);
        }
        path.push(next);
        current = next;
    }
    current
}

/// Whether the sources are enough for a priority: P1 needs one first-hand or two independent sources, the others one
/// source.
pub fn sufficient(priority: Priority, sources: &[Source]) -> bool {
    match priority {
        Priority::P1 => {
            let first_hand = sources.iter().any(|source| source.first_hand && source.relays.is_none());
            first_hand || independent_sources(sources) >= 2
        }
        Priority::P2 | Priority::P3 | Priority::P4 => !sources.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn relays_of_one_call_are_one_source() {
        check(&[], 0);
        check(&[None], 1);
        check(&[None, None, Some(0)], 2);
        check(&[None, Some(0), Some(1), Some(2)], 1);
        check(&[Some(1), Some(0)], 1);
        check(&[Some(0)], 1);
        check(&[Some(1), Some(2), Some(1), None], 2);
        check(&[Some(9), Some(0)], 1);
        check(&[Some(usize::MAX), None], 2);
    }

    #[test]
    fn p1_needs_one_first_hand_or_two_independent_sources() {
        assert!(!sufficient(Priority::P1, &[source(None, false), source(Some(0), false)]));
        assert!(!sufficient(Priority::P1, &[source(None, false), source(Some(0), true)]));
        assert!(sufficient(Priority::P1, &[source(None, false), source(None, false)]));
        assert!(sufficient(Priority::P1, &[source(None, true)]));
        assert!(sufficient(Priority::P3, &[source(None, false)]));
        assert!(!sufficient(Priority::P4, &[]));
    }

    proptest! {
        #[test]
        fn any_list_of_relays_has_between_one_and_all_roots(
            relays in prop::collection::vec(prop::option::of(0_usize..12), 1..12),
        ) {
            let sources: Vec<_> = relays.iter().map(|relays| source(*relays, false)).collect();
            let independent = independent_sources(&sources);
            prop_assert!((1..=sources.len()).contains(&independent));
            let originals = relays.iter().filter(|relays| relays.is_none()).count();
            prop_assert!(independent >= originals);
        }
    }

    fn check(relays: &[Option<usize>], expected: usize) {
        let sources: Vec<_> = relays.iter().map(|relays| source(*relays, false)).collect();
        assert_eq!(independent_sources(&sources), expected, "{relays:?}");
    }

    fn source(relays: Option<usize>, first_hand: bool) -> Source {
        Source { link: SourceLink::Ngo, reliability: Reliability::B, information: Information::Two, first_hand, relays }
    }
}

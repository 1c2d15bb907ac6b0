//! What was learnt about keys lately, bounded in number and in age.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Principal;

/// How long an answer holds.
const FRESH: Duration = Duration::from_secs(15);
/// How long it holds while the store is away.
const STALE: Duration = Duration::from_mins(1);
/// How long "there is no such key" holds, so that a flood of guesses does not reach the store.
const UNKNOWN: Duration = Duration::from_secs(1);
/// The most answers of each sort.
const ENTRIES_MAX: usize = 10_000;

/// A row of the store.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) principal: Principal,
    pub(super) expires_at_ms: Option<i64>,
    pub(super) revoked_at_ms: Option<i64>,
}

/// What the cache says about a key.
#[derive(Debug)]
pub(super) enum Looked {
    /// Use it.
    Fresh(Arc<Known>),
    /// Ask the store; use this if it is away.
    Stale(Arc<Known>),
    /// There was no such key a moment ago.
    Unknown,
    /// Ask the store.
    Absent,
}

#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    known: HashMap<[u8; 32], (Instant, Arc<Known>)>,
    unknown: HashMap<[u8; 32], Instant>,
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Nothing here can be left half done by a panic.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn look(&self, hash: &[u8; 32]) -> Looked {
        let now = Instant::now();
        let entries = self.lock();
        if let Some((read_at, known)) = entries.known.get(hash) {
            let age = now.duration_since(*read_at);
            if age < FRESH {
                return Looked::Fresh(Arc::clone(known));
            }
            if age < STALE {
                return Looked::Stale(Arc::clone(known));
            }
        }
        match entries.unknown.get(hash) {
            Some(read_at) if now.duration_since(*read_at) < UNKNOWN => Looked::Unknown,
            _ => Looked::Absent,
        }
    }

    /// Remembers what the store said. A full map is thinned by age first; of guesses nothing is worth keeping.
    pub(super) fn put(&self, hash: [u8; 32], found: Option<Arc<Known>>) {
        let now = Instant::now();
        let mut entries = self.lock();
        let Some(known) = found else {
            entries.known.remove(&hash);
            if entries.unknown.len() >= ENTRIES_MAX {
                entries.unknown.clear();
            }
            entries.unknown.insert(hash, now);
            return;
        };
        entries.unknown.remove(&hash);
        if entries.known.len() >= ENTRIES_MAX {
            entries.known.retain(|_, (read_at, _)| now.duration_since(*read_at) < FRESH);
        }
        if entries.known.len() >= ENTRIES_MAX {
            entries.known.clear();
        }
        entries.known.insert(hash, (now, known));
    }

    pub(super) fn clear(&self) {
        *self.lock() = Entries::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Arc<Known> {
        let principal = Principal {
            actor: "duty-1".parse().unwrap(),
            name: "Duty officer".to_owned(),
            roles: vec![tocsin_domain::role::Role::DutyOfficer],
            organisation: None,
            country: None,
        };
        Arc::new(Known { principal, expires_at_ms: None, revoked_at_ms: None })
    }

    #[tokio::test(start_paused = true)]
    async fn answers_age() {
        let cache = Cache::default();
        cache.put([1; 32], Some(known()));
        cache.put([2; 32], None);
        assert!(matches!(cache.look(&[1; 32]), Looked::Fresh(_)));
        assert!(matches!(cache.look(&[2; 32]), Looked::Unknown));
        assert!(matches!(cache.look(&[3; 32]), Looked::Absent));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(matches!(cache.look(&[2; 32]), Looked::Absent));
        tokio::time::advance(Duration::from_secs(14)).await;
        assert!(matches!(cache.look(&[1; 32]), Looked::Stale(_)));
        tokio::time::advance(Duration::from_secs(45)).await;
        assert!(matches!(cache.look(&[1; 32]), Looked::Absent));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_keys_does_not_grow_it() {
        let cache = Cache::default();
        for number in 0..25_000_u32 {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&number.to_be_bytes());
            cache.put(hash, None);
            cache.put(hash, Some(known()));
            cache.put([number.to_be_bytes(); 8].concat().try_into().unwrap(), None);
        }
        let entries = cache.lock();
        assert!(entries.known.len() <= ENTRIES_MAX && entries.unknown.len() <= ENTRIES_MAX);
    }
}

//! Which faults are made, and in which order: drawn from a seed, so that the same seed makes them again. Pure.

use std::fmt;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};

use crate::hosts::HOSTS;
use crate::settings::PROCESSES;

/// Processes of services: two of each of four.
const SERVICE_PROCESSES: usize = 4 * PROCESSES;
/// The most processes of services that die at the same moment.
const KILLED_AT_ONCE_MAX: usize = 4;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of these processes of services at the same moment.
    Kill(Vec<usize>),
    /// `kill -9` of one node of NATS, with all replicas current before.
    KillNats(usize),
    /// SIGSTOP of a process of a service, SIGCONT after so many seconds.
    Pause {
        /// Which.
        process: usize,
        /// For how long.
        seconds: u64,
    },
    /// PostgreSQL cuts everything off and recovers.
    RestartPostgres,
    /// All nodes of NATS die and their stores are deleted.
    WipeNats,
    /// A host's cable is pulled and put back after so many seconds.
    Cut {
        /// Which.
        host: usize,
        /// For how long.
        seconds: u64,
    },
    /// The disks of all nodes of NATS are full for so many seconds.
    FillNats {
        /// For how long.
        seconds: u64,
    },
    /// The disk below an embedded installation is full for a while.
    FillSqlite,
    /// A process's clock jumps to so many seconds beside the true time.
    StepClock {
        /// Which.
        process: usize,
        /// By how much, compared to the true time.
        seconds: i64,
    },
}

/// The kinds of faults, as the table names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Kind {
    /// Processes of services.
    Kill,
    /// A node of NATS.
    KillNats,
    /// SIGSTOP.
    Pause,
    /// PostgreSQL, immediately.
    RestartPostgres,
    /// The whole store of NATS.
    WipeNats,
    /// A host cut off.
    Cut,
    /// A full disk for NATS.
    FillNats,
    /// A full disk for SQLite.
    FillSqlite,
    /// A clock that jumps.
    StepClock,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Kill => "kill -9 of services",
            Self::KillNats => "kill -9 of a NATS node",
            Self::Pause => "SIGSTOP of a service",
            Self::RestartPostgres => "PostgreSQL restarted immediately",
            Self::WipeNats => "NATS store wiped",
            Self::Cut => "host cut off the network",
            Self::FillNats => "full disk of NATS",
            Self::FillSqlite => "full disk of SQLite",
            Self::StepClock => "clock of a service stepped",
        })
    }
}

impl Fault {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Kill(_) => Kind::Kill,
            Self::KillNats(_) => Kind::KillNats,
            Self::Pause { .. } => Kind::Pause,
            Self::RestartPostgres => Kind::RestartPostgres,
            Self::WipeNats => Kind::WipeNats,
            Self::Cut { .. } => Kind::Cut,
            Self::FillNats { .. } => Kind::FillNats,
            Self::FillSqlite => Kind::FillSqlite,
            Self::StepClock { .. } => Kind::StepClock,
        }
    }
}

/// How many of each.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    kills: usize,
    nats_kills: usize,
    pauses: usize,
    pause_seconds_max: u64,
    postgres: usize,
    wipes: usize,
    /// Hosts that are cut off, and for how long.
    cuts: usize,
    cut_seconds: u64,
    nats_disks: usize,
    sqlite_disks: usize,
    clocks: usize,
}

impl Counts {
    /// About ten minutes.
    pub const LONG: Self = Self {
        kills: 190,
        nats_kills: 12,
        pauses: 5,
        pause_seconds_max: 20,
        postgres: 5,
        wipes: 3,
        cuts: 4,
        cut_seconds: 12,
        nats_disks: 2,
        sqlite_disks: 2,
        clocks: 6,
    };
    /// About two minutes.
    pub const SHORT: Self = Self {
        kills: 20,
        nats_kills: 3,
        pauses: 1,
        pause_seconds_max: 6,
        postgres: 1,
        wipes: 1,
        cuts: 1,
        cut_seconds: 6,
        nats_disks: 1,
        sqlite_disks: 1,
        clocks: 2,
    };
}

/// The faults in their order. `only` leaves out other kinds, without changing those that stay.
pub fn plan(seed: u64, counts: &Counts, only: &[Kind]) -> Vec<Fault> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut faults = kills(&mut random, counts.kills);
    // Each node in turn, so that none is spared by chance.
    faults.extend((0..counts.nats_kills).map(|count| Fault::KillNats(count % HOSTS)));
    for _ in 0..counts.pauses {
        let seconds = random.random_range(5..=counts.pause_seconds_max);
        faults.push(Fault::Pause { process: random.random_range(0..SERVICE_PROCESSES), seconds });
    }
    faults.extend((0..counts.postgres).map(|_| Fault::RestartPostgres));
    faults.extend((0..counts.wipes).map(|_| Fault::WipeNats));
    let first_cut = random.random_range(0..HOSTS);
    faults.extend(
        (0..counts.cuts).map(|count| Fault::Cut { host: (first_cut + count) % HOSTS, seconds: counts.cut_seconds }),
    );
    faults.extend((0..counts.nats_disks).map(|_| Fault::FillNats { seconds: 5 }));
    faults.extend((0..counts.sqlite_disks).map(|_| Fault::FillSqlite));
    for _ in 0..counts.clocks {
        let seconds = [-3600, -45, 45, 3600].choose(&mut random).copied().unwrap_or_default();
        faults.push(Fault::StepClock { process: random.random_range(0..SERVICE_PROCESSES), seconds });
    }
    faults.shuffle(&mut random);
    faults.retain(|fault| only.is_empty() || only.contains(&fault.kind()));
    faults
}

/// Rounds of kills that come to `count` together.
fn kills(random: &mut StdRng, count: usize) -> Vec<Fault> {
    let mut rounds = Vec::new();
    let mut left = count;
    while left > 0 {
        let killed = random.random_range(1..=KILLED_AT_ONCE_MAX.min(left));
        let mut processes: Vec<usize> = (0..SERVICE_PROCESSES).collect();
        processes.shuffle(random);
        processes.truncate(killed);
        left -= killed;
        rounds.push(Fault::Kill(processes));
    }
    rounds
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_repeats_its_faults() {
        assert_eq!(plan(7, &Counts::LONG, &[]), plan(7, &Counts::LONG, &[]));
        assert_ne!(plan(7, &Counts::LONG, &[]), plan(8, &Counts::LONG, &[]));
    }

    #[test]
    fn the_long_form_kills_at_least_200_times_and_everybody() {
        for seed in 0..20 {
            let faults = plan(seed, &Counts::LONG, &[]);
            let mut services = Vec::new();
            let mut nodes = Vec::new();
            for fault in &faults {
                match fault {
                    Fault::Kill(processes) => services.extend(processes.iter().copied()),
                    Fault::KillNats(node) => nodes.push(*node),
                    Fault::Pause { seconds, .. } => assert!((5..=20).contains(seconds)),
                    _ => {}
                }
            }
            assert!(services.len() + nodes.len() >= 200 && nodes.len() <= 30);
            assert_eq!(services.iter().collect::<BTreeSet<_>>().len(), SERVICE_PROCESSES);
            assert_eq!(nodes.iter().collect::<BTreeSet<_>>().len(), HOSTS);
        }
    }

    #[test]
    fn a_chosen_kind_leaves_out_the_others() {
        let chosen = plan(3, &Counts::SHORT, &[Kind::Pause, Kind::WipeNats]);
        assert_eq!(chosen.len(), 2);
        let all = plan(3, &Counts::SHORT, &[]);
        assert!(chosen.iter().all(|fault| all.contains(fault)));
    }
}

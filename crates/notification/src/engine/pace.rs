//! How many notices one transaction may take. SQLite has one writer, behind which everything waits in line, also the alert
//! that cannot: so a transaction of the engine is bounded in time, by what each of its notices took lately. Pure.

use std::time::Duration;

/// What one transaction should take at most.
const MOST: Duration = Duration::from_millis(12);
/// A transaction of fewer says little about what one costs; as many may always be taken.
const FEW: usize = 64;
/// Of what is known, this share is kept when something is learned: a single slow sync changes little.
const KEPT: f64 = 0.75;

/// Learns from each transaction how many the next may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    most: usize,
    seconds_each: f64,
}

impl Pace {
    /// For transactions of up to so many.
    pub(super) fn of(most: usize) -> Self {
        Self { most, seconds_each: 0.0 }
    }

    /// How many the next transaction may take.
    pub(super) fn size(&self) -> usize {
        let within = (1..=self.most / FEW).rev().map(|steps| steps * FEW).find(|count| self.fits(*count));
        within.unwrap_or(FEW).min(self.most)
    }

    fn fits(&self, count: usize) -> bool {
        u32::try_from(count).is_ok_and(|count| f64::from(count) * self.seconds_each <= MOST.as_secs_f64())
    }

    /// A transaction of so many held the writer for so long.
    pub(super) fn note(&mut self, count: usize, took: Duration) {
        let Some(many) = u32::try_from(count).ok().filter(|_| count >= FEW) else { return };
        let seconds_each = took.as_secs_f64() / f64::from(many);
        let kept = if self.seconds_each > 0.0 { KEPT } else { 0.0 };
        self.seconds_each = kept * self.seconds_each + (1.0 - kept) * seconds_each;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_writer_gets_less_at_once_and_a_fast_one_more() {
        let mut pace = Pace::of(512);
        assert_eq!(pace.size(), 512, "nothing is known yet");
        pace.note(512, Duration::from_millis(48));
        assert_eq!(pace.size(), 128);
        pace.note(3, Duration::from_secs(1));
        assert_eq!(pace.size(), 128, "a few say nothing");
        for _ in 0..20 {
            pace.note(128, Duration::from_millis(2));
        }
        assert_eq!(pace.size(), 512);
        for _ in 0..20 {
            pace.note(512, Duration::from_secs(5));
        }
        assert_eq!(pace.size(), FEW, "it never stands still");
    }
}

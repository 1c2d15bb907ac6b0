//! What arrived at a sink, in order, with the moment of each arrival.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

/// One thing that arrived.
#[derive(Debug, Clone)]
pub struct Arrival<T> {
    /// When it had arrived whole.
    pub at: Instant,
    /// What arrived.
    pub item: T,
}

/// Everything that arrived at a sink. Cheap to clone.
#[derive(Debug)]
pub struct Log<T> {
    arrivals: Arc<Mutex<Vec<Arrival<T>>>>,
    count: Arc<watch::Sender<usize>>,
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self { arrivals: Arc::clone(&self.arrivals), count: Arc::clone(&self.count) }
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { arrivals: Arc::default(), count: Arc::new(watch::Sender::new(0)) }
    }
}

impl<T: Clone> Log<T> {
    /// Notes an arrival now.
    pub fn record(&self, item: T) {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.push(Arrival { at: Instant::now(), item });
        self.count.send_replace(arrivals.len());
    }

    /// How many have arrived.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// A copy of all arrivals, oldest first.
    pub fn all(&self) -> Vec<Arrival<T>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what arrived out of the log, oldest first, so that a long-lived sink does not grow.
    pub fn take(&self) -> Vec<Arrival<T>> {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        self.count.send_replace(0);
        std::mem::take(&mut *arrivals)
    }

    /// Forgets what arrived so far.
    pub fn clear(&self) {
        drop(self.take());
    }

    /// When the first and the last arrived, if anything did.
    pub fn span(&self) -> Option<(Instant, Instant)> {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        Some((arrivals.first()?.at, arrivals.last()?.at))
    }

    /// Waits until at least `count` have arrived.
    pub async fn reached(&self, count: usize) {
        // The sender lives as long as `self`, so waiting can only end by reaching the count.
        let _ = self.count.subscribe().wait_for(|now| *now >= count).await;
    }
}

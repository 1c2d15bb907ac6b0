//! A process that dies where it is told: started with a place to die, awaited until it has, started with the next.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tocsin_tests::installation::Installation;
use tocsin_tests::process::Running;
use tocsin_tests::{Outcome, Trouble};

/// How long a walk may take to each place on a busy machine.
const REACH_LIMIT: Duration = Duration::from_secs(45);
/// How often a process is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// What a process sent before its death has arrived by then, and counts as sent in that life.
const ARRIVED: Duration = Duration::from_millis(20);
/// The pause between two rounds of a walk.
const ROUND_PAUSE: Duration = Duration::from_millis(50);

/// `tocsin up`, or `tocsin serve` for one service.
pub(super) struct Mortal<'a> {
    installation: &'a Installation,
    name: &'static str,
    process: Option<Running>,
    /// When each life began.
    pub(super) lives: Vec<Instant>,
    deaths: usize,
    limit: Duration,
}

/// The name of a place in the words of the variable, as `outbox.clean.before` of `outbox.clean.before=1*off->return`.
pub(super) fn name_of(place: &str) -> &str {
    place.split('=').next().unwrap_or_default()
}

impl<'a> Mortal<'a> {
    /// It does not run yet.
    pub(super) fn new(installation: &'a Installation, name: &'static str) -> Self {
        Self { installation, name, process: None, lives: Vec::new(), deaths: 0, limit: REACH_LIMIT }
    }

    /// With another limit for the walk to each place.
    pub(super) fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// `up`, or the service.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// How often it has died where it should.
    pub(super) fn deaths(&self) -> usize {
        self.deaths
    }

    /// Ends its life, if it still has one, and starts the next one with a place to die.
    async fn live_until(&mut self, place: &str) -> Outcome<()> {
        self.kill()?;
        tokio::time::sleep(ARRIVED).await;
        self.lives.push(Instant::now());
        let armed = if place.is_empty() || place.contains('=') { place.to_owned() } else { format!("{place}=return") };
        self.process = Some(Running::mortal(self.installation, self.name, &armed)?);
        Ok(())
    }

    /// Starts it with a place to die and waits until it has died there.
    pub(super) async fn die_at(&mut self, place: &str) -> Outcome<()> {
        self.live_until(place).await?;
        let started = Instant::now();
        loop {
            if let Some(status) = self.running()?.ended()? {
                if status.signal() == Some(rustix::process::Signal::ABORT.as_raw()) {
                    self.deaths += 1;
                    return Ok(());
                }
                return Err(Trouble::new(format!("{} ended with {status} on the way to {place}", self.name)));
            }
            if started.elapsed() > self.limit {
                return Err(Trouble::new(format!("{} was never reached by {}", name_of(place), self.name)));
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Kills it, if it runs.
    pub(super) fn kill(&mut self) -> Outcome<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    fn running(&mut self) -> Outcome<&mut Running> {
        self.process.as_mut().ok_or_else(|| Trouble::new(format!("{} does not run", self.name)))
    }

    /// Starts it without a place to die and waits until it is ready.
    pub(super) async fn live(&mut self) -> Outcome<()> {
        self.live_until("").await?;
        self.running()?.ready().await
    }

    /// Walks one round after the other while the process dies at each place in turn, then lives; ends when the round
    /// that was under way is finished. Whatever a round asks, it asks until it is answered.
    pub(super) async fn walk(&mut self, places: &[&str], mut round: impl AsyncFnMut() -> Outcome<()>) -> Outcome<()> {
        let lives = AtomicBool::new(false);
        let dying = async {
            for place in places {
                self.die_at(place).await?;
            }
            self.live().await?;
            lives.store(true, Ordering::Relaxed);
            Ok(())
        };
        let walking = async {
            loop {
                round().await?;
                if lives.load(Ordering::Relaxed) {
                    return Ok(());
                }
                tokio::time::sleep(ROUND_PAUSE).await;
            }
        };
        tokio::try_join!(dying, walking).map(|((), ())| ())
    }
}

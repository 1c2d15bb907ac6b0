//! Real servers for tests: a NATS server and a PostgreSQL on free loopback ports, and fresh databases on both backends.
//!
//! Binaries are looked for in `PATH` and in the folder that `TOCSIN_TEST_TOOLS` names. A missing one fails the test, so
//! that a green run always means that the real servers were used.

mod database;
mod nats;
mod postgres;
mod process;

use std::time::{Duration, Instant};

pub use database::TestDatabase;
pub use nats::NatsServer;
pub use postgres::PostgresServer;

/// How often a condition is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until the condition holds, and fails the test with what was waited for when it does not in time.
///
/// # Panics
/// When the condition does not hold within `limit`.
pub async fn wait_until(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain until {what}");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

//! `tocsin up`: all four services in one process, over SQLite and the bus within the process.

use tocsin_platform::clock::Clock;
use tocsin_platform::config::Settings;
use tocsin_platform::lifecycle::signalled;
use tocsin_platform::telemetry;
use tocsin_proto::catalogue::Service;

use crate::assembly::{Doors, Running};
use crate::exit::Failed;

/// Runs until SIGTERM or Ctrl-C, then drains.
pub(crate) async fn run(settings: Settings) -> Result<(), Failed> {
    services(&Service::ALL, settings, "tocsin").await
}

/// Runs these services in this process.
pub(super) async fn services(services: &[Service], settings: Settings, name: &str) -> Result<(), Failed> {
    let _telemetry =
        telemetry::init(&settings.telemetry, name).map_err(|error| Failed::other("telemetry cannot start", &error))?;
    let doors = Doors::of(services, &settings).await?;
    let running = Running::start(settings, Clock::system(), doors).await?;
    if services.contains(&Service::Triage)
        && let Some(key) =
            running.credentials().bootstrap().await.map_err(|error| Failed::other("the store of keys", &error))?
    {
        // Once, and on standard output only: it is in no log, and only its hash is stored.
        println!("The first key, of an administrator. It is shown this once; keep it safe, and issue others with it:");
        println!("{}", key.secret.expose());
    }
    running
        .until(signalled())
        .await
        .map_err(|error| Failed::other("the process ended because a part of it failed", &error))
}

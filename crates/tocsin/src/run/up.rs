//! `tocsin up`: all four services in one process, over SQLite and the bus within the process.

use std::error::Error;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::pin::pin;

use tocsin_platform::clock::Clock;
use tocsin_platform::config::{BusKind, Settings};
use tocsin_platform::credentials::IssuedKey;
use tocsin_platform::lifecycle::signalled;
use tocsin_platform::telemetry;
use tocsin_proto::catalogue::Service;

use crate::assembly::{Doors, Running};
use crate::exit::{Exit, Failed};

/// Runs until SIGTERM or Ctrl-C, then drains.
pub(crate) async fn run(settings: Settings) -> Result<(), Failed> {
    services(&Service::ALL, settings, "tocsin").await
}

/// Runs these services in this process.
pub(super) async fn services(services: &[Service], settings: Settings, name: &str) -> Result<(), Failed> {
    let _telemetry =
        telemetry::init(&settings.telemetry, name).map_err(|error| Failed::other("telemetry cannot start", &error))?;
    let _held = match settings.bus.kind {
        BusKind::InProcess => Some(hold(&settings.data_folder)?),
        // Replicas share a folder's key files and meet in the database.
        BusKind::Nats => None,
    };
    let doors = Doors::of(services, &settings).await?;
    let first_key: Option<fn(&IssuedKey)> = services.contains(&Service::Triage).then_some(tell_first_key);
    let mut asked = pin!(signalled());
    let running = tokio::select! {
        biased;
        started = Running::start(settings, Clock::system(), doors, first_key) => started?,
        // It was still waiting for its database, and has done nothing that would have to end in order.
        () = &mut asked => return Ok(()),
    };
    running.until(asked).await.map_err(|error| Failed::other("the process ended because a part of it failed", &error))
}

/// Holds the data folder for this process alone: two embedded buses on one database would not hear each other.
fn hold(folder: &Path) -> Result<File, Failed> {
    let failed =
        |error: &dyn Error| Failed::other(&format!("the data folder {} cannot be used", folder.display()), error);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(&error))?;
    let path = folder.join("tocsin.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = format!("the data folder {} is in use by another process", folder.display());
            Err(Failed::new(Exit::Refused, message).advise("stop that process, or use another --data-folder"))
        }
        Err(TryLockError::Error(error)) => Err(failed(&error)),
    }
}

/// Prints the first administrator key, once.
fn tell_first_key(key: &IssuedKey) {
    // On standard output only: it is in no log, and only its hash is stored.
    println!("The first key, of an administrator. It is shown this once; keep it safe, and issue others with it:");
    println!("{}", key.secret.expose());
}

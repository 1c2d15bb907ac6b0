//! Starting when what services need may come later: the doors answer meanwhile, and the start is tried until it works or
//! something is wrong.

use std::pin::pin;
use std::time::Duration;

use tocsin_platform::config::Settings;
use tocsin_platform::service::StartError;
use tocsin_platform::waiting::WaitingRoom;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::Doors;

/// A start that takes longer is answered for by waiting rooms.
const QUIET_TIME: Duration = Duration::from_secs(1);
/// The first pause between two tries; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often it is told that something is still away.
const TELL_INTERVAL: Duration = Duration::from_mins(1);

/// Tries `start` until the database is there. Anything else that is wrong ends it: a wrong password is not an absence.
pub(super) async fn until_started<T, F: Future<Output = Result<T, StartError>>>(
    doors: &Doors,
    settings: &Settings,
    start: impl Fn() -> F,
) -> Result<T, StartError> {
    let began = Instant::now();
    let mut rooms = Vec::new();
    let mut told: Option<Instant> = None;
    let mut pause = PAUSE_MIN;
    loop {
        let mut trying = pin!(start());
        let tried = if let Ok(tried) = timeout(QUIET_TIME, &mut trying).await {
            tried
        } else {
            open(doors, settings, &mut rooms)?;
            trying.await
        };
        let error = match tried {
            Ok(started) => {
                if told.is_some() {
                    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                    info!(elapsed_ms, "the database is there; the start goes on");
                }
                futures::future::join_all(rooms.into_iter().map(WaitingRoom::close)).await;
                return Ok(started);
            }
            // A SQLite database is a file of ours: nobody else brings it.
            Err(error) if error.is_absence() && !settings.database.url.starts_with("sqlite:") => error,
            Err(error) => return Err(error),
        };
        open(doors, settings, &mut rooms)?;
        if told.is_none_or(|told| told.elapsed() >= TELL_INTERVAL) {
            told = Some(Instant::now());
            let kind = error.in_short().unwrap_or_default();
            warn!(reason = %error, error_kind = kind, "the database is away; waiting for it");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Opens the waiting rooms of all services, once.
fn open(doors: &Doors, settings: &Settings, rooms: &mut Vec<WaitingRoom>) -> Result<(), StartError> {
    if !rooms.is_empty() {
        return Ok(());
    }
    for door in doors.iter() {
        let (grpc, http) = door.listeners().map_err(|error| StartError::Other(error.to_string()))?;
        let tls = settings.services.of(door.service).tls.clone();
        rooms.push(WaitingRoom::open(door.service, grpc, http, tls, settings.limits));
    }
    Ok(())
}

//! The data folder, the disk under it, and the databases.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait as _;
use tocsin_platform::config::Settings;
use tocsin_platform::database::Database;
use tocsin_proto::catalogue::Service;

use super::{Finding, TRY_TIME, Verdict};
use crate::exit::with_causes;

/// Below this nothing can be relied on.
const FREE_BYTES_MIN: u64 = 100 * 1024 * 1024;
/// Below this the operator should act.
const FREE_BYTES_LOW: u64 = 1024 * 1024 * 1024;
/// A synced write that takes longer makes every answer slow.
const SYNC_SLOW: Duration = Duration::from_millis(20);
/// Synced writes that are timed; the middle one counts.
const SYNCS: usize = 5;

/// Looks at the data folder and the databases.
pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    let mut findings = folder(&settings.data_folder);
    let (folder, of_services) = match settings.database.url.strip_prefix("sqlite:") {
        Some(folder) => (PathBuf::from(folder), sqlite(settings, Path::new(folder)).await),
        None => (settings.data_folder.clone(), vec![postgres(settings).await]),
    };
    findings.extend(of_services);
    findings.extend(keys(settings));
    findings.push(sync_time(&folder));
    findings
}

/// Where the key files are, when that is a folder of their own.
fn keys(settings: &Settings) -> Option<Finding> {
    if settings.key_folder == settings.data_folder {
        return None;
    }
    let name = settings.key_folder.display();
    let missing: Vec<_> =
        crate::secrets::key_file_names().filter(|file| !settings.key_folder.join(file).is_file()).collect();
    if missing.is_empty() {
        return Some(Finding::ok("key folder", format!("{name} holds every key file")));
    }
    let found = format!("{name} lacks {}", missing.join(", "));
    let advice = "a host needs those of its services: mount the ones that the other processes use; for a new \
                  installation make them with `tocsin secrets new`";
    Some(Finding::warn("key folder", found, advice))
}

/// The folder, or the nearest one above it that exists: where it would be made.
fn existing(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn folder(path: &Path) -> Vec<Finding> {
    let name = path.display();
    let state = match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => {
            Finding::fail("data folder", format!("{name} is not a folder"), "set `data_folder` to a folder")
        }
        Ok(metadata) if metadata.mode() & 0o077 != 0 => Finding::warn(
            "data folder",
            format!("{name} is open to others (mode {:o})", metadata.mode() & 0o777),
            format!("run `chmod 700 {name}`: it holds keys"),
        ),
        Ok(_) => Finding::ok("data folder", format!("{name}, closed to others")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::ok("data folder", format!("{name} does not exist yet; the first start makes it"))
        }
        Err(error) => Finding::fail("data folder", format!("{name}: {error}"), "let this user read it"),
    };
    vec![state, writable(path), free_space(&existing(path))]
}

fn writable(path: &Path) -> Finding {
    let place = existing(path);
    match tempfile::tempfile_in(&place) {
        Ok(_) => Finding::ok("data folder", format!("files can be made in {}", place.display())),
        Err(error) => {
            let found = format!("no file can be made in {}: {error}", place.display());
            Finding::fail("data folder", found, "give this user the right to write there, or set `data_folder`")
        }
    }
}

fn free_space(place: &Path) -> Finding {
    let free = match rustix::fs::statvfs(place) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => return Finding::warn("disk", format!("free space is not known: {error}"), "look with `df`"),
    };
    let found = format!("{} MiB free at {}", free / (1024 * 1024), place.display());
    match free {
        0..FREE_BYTES_MIN => Finding::fail("disk", found, "make room: a full disk stops every acceptance"),
        FREE_BYTES_MIN..FREE_BYTES_LOW => Finding::warn("disk", found, "make room soon"),
        _ => Finding::ok("disk", found),
    }
}

/// How long a write takes to be on the disk, which every acceptance waits for.
fn sync_time(folder: &Path) -> Finding {
    let place = existing(folder);
    match synced_write(&place) {
        Ok(time) if time > SYNC_SLOW => {
            let found = format!("a synced write takes {:.1} ms", time.as_secs_f64() * 1000.0);
            Finding::warn(
                "disk",
                found,
                "use a disk of its own, or a faster one: each acceptance waits for one such write",
            )
        }
        Ok(time) => Finding::ok("disk", format!("a synced write takes {:.1} ms", time.as_secs_f64() * 1000.0)),
        Err(error) => {
            Finding::warn("disk", format!("a synced write could not be timed: {error}"), "check the folder's rights")
        }
    }
}

fn synced_write(place: &Path) -> std::io::Result<Duration> {
    let mut file = tempfile::tempfile_in(place)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(SYNCS / 2).copied().unwrap_or_default())
}

/// Opens the files that exist. Opening one that does not would make it, and this only looks.
async fn sqlite(settings: &Settings, folder: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut absent = Vec::new();
    for service in Service::ALL {
        if !folder.join(format!("{service}.sqlite")).is_file() {
            absent.push(service.as_str());
            continue;
        }
        let answered = match tokio::time::timeout(TRY_TIME, Database::open(&settings.database, service)).await {
            Ok(Ok(database)) => database.ping().await.map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(with_causes(&error)),
            Err(_) => Err("it did not open in time".to_owned()),
        };
        if let Err(error) = answered {
            let advice = "check the file's rights and the disk; restore a backup if the file is damaged";
            findings.push(Finding::fail("database", format!("{service}: {error}"), advice));
        }
    }
    if absent.len() == Service::ALL.len() {
        return vec![Finding::ok("database", format!("SQLite in {}, made at the first start", folder.display()))];
    }
    if !absent.is_empty() {
        let found = format!("no file of {} in {}", absent.join(", "), folder.display());
        findings.push(Finding::warn("database", found, "run `tocsin migrate`, or restore what is missing"));
    }
    if findings.iter().all(|finding| finding.verdict != Verdict::Fail) {
        findings.push(Finding::ok("database", format!("SQLite in {} opens and answers", folder.display())));
    }
    findings
}

/// Connects without making a schema.
async fn postgres(settings: &Settings) -> Finding {
    let started = Instant::now();
    let url = without_schema(&settings.database.url);
    let tried = tokio::time::timeout(TRY_TIME, async {
        let connection = sea_orm::Database::connect(url).await?;
        connection.execute_unprepared("SELECT 1").await?;
        connection.close().await
    })
    .await;
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    match tried {
        Ok(Ok(())) => Finding::ok("database", format!("PostgreSQL answers, {milliseconds:.0} ms with connecting")),
        // The driver's words may hold the address with its password.
        Ok(Err(_)) => {
            let advice =
                "check `database.url`: server, database, user and password, and that the server accepts this host";
            Finding::fail("database", "PostgreSQL refused the connection", advice)
        }
        Err(_) => {
            Finding::fail("database", "PostgreSQL did not answer in time", "check the host and port of `database.url`")
        }
    }
}

/// The address without our own parameter, which the driver does not know.
pub(super) fn without_schema(url: &str) -> String {
    let Some((base, query)) = url.split_once('?') else { return url.to_owned() };
    let kept: Vec<&str> = query.split('&').filter(|part| !part.starts_with("schema=")).collect();
    if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) }
}

//! `tocsin backup` and `tocsin restore`: a consistent copy of an embedded installation while it runs, and back.
//!
//! The databases are copied one after the other, consumers before producers, so that no copy holds an effect whose cause
//! another lacks. What was settled while the copy was made is in the producer's copy but not in the consumer's; so
//! `restore` owes every event since the copy began again, and inboxes pass over what they know.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tocsin_platform::bus::Bus;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::Settings;
use tocsin_platform::database::{Database, DatabaseSettings};
use tocsin_platform::outbox::Outbox;
use tocsin_proto::catalogue::Service;

use crate::exit::{Exit, Failed};
use crate::secrets::key_file_names;

/// The databases, consumers before producers. The store of triage's data keys follows triage, because a key without
/// its case is harmless and a case without its key cannot be read.
const DATABASES: [&str; 6] = ["notification", "dispatch", "triage", "triage_keys", "intake", "keys"];
/// Says that a folder is a whole copy; written last.
const MARK: &str = "tocsin-backup.json";

/// What is known of a copy.
#[derive(Serialize, Deserialize)]
struct Mark {
    /// Of the program that made it.
    version: String,
    /// When the first database was copied.
    began_at: DateTime<Utc>,
}

/// Events carry the time at which their transaction began, a little before it was committed.
const MARGIN: TimeDelta = TimeDelta::minutes(1);

/// Copies databases and key files into a new folder.
pub(crate) async fn backup(target: &Path, settings: Settings) -> Result<(), Failed> {
    let database_folder = embedded_folder(&settings)?;
    if target.exists() {
        let message = format!("{} exists already", target.display());
        return Err(Failed::new(Exit::Usage, message).advise("name a folder that does not exist yet"));
    }
    create_private(&target.join("database"))?;
    let began_at = Clock::system().now();
    for name in DATABASES {
        if !database_folder.join(format!("{name}.sqlite")).exists() {
            continue;
        }
        let copy = target.join("database").join(format!("{name}.sqlite"));
        let database = Database::open_named(&settings.database, name).await.map_err(failed(name))?;
        database.backup_to(&copy).await.map_err(failed(name))?;
        eprintln!("copied {name}.sqlite ({} KiB)", fs::metadata(&copy).map_or(0, |file| file.len() / 1024));
    }
    for file in key_files(&settings.key_folder) {
        let name = file.file_name().map(PathBuf::from).unwrap_or_default();
        copy_private(&file, &target.join(&name))?;
        eprintln!("copied {}", name.display());
    }
    let mark = Mark { version: env!("CARGO_PKG_VERSION").to_owned(), began_at };
    let text = serde_json::to_vec(&mark).map_err(|error| Failed::other("the mark of the copy", &error))?;
    write_private(&target.join(MARK), &text)?;
    println!("{}", target.display());
    Ok(())
}

/// Puts a copy into an empty folder, from which `tocsin up --data-folder` then runs.
pub(crate) async fn restore(source: &Path, data_folder: &Path) -> Result<(), Failed> {
    let mark = fs::read(source.join(MARK)).ok().and_then(|text| serde_json::from_slice::<Mark>(&text).ok());
    let Some(mark) = mark else {
        let message = format!("{} is not a whole backup: {MARK} is missing or damaged", source.display());
        return Err(Failed::new(Exit::Usage, message).advise("name a folder that `tocsin backup` made to its end"));
    };
    let occupied = fs::read_dir(data_folder).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        let message = format!("{} is not empty", data_folder.display());
        return Err(Failed::new(Exit::Usage, message)
            .advise("stop the services, move the old folder away, and restore into a new one"));
    }
    create_private(&data_folder.join("database"))?;
    for folder in ["", "database"] {
        for entry in fs::read_dir(source.join(folder)).map_err(|error| cannot("read", source, &error))?.flatten() {
            let path = entry.path();
            if path.is_file() && entry.file_name() != MARK {
                copy_private(&path, &data_folder.join(folder).join(entry.file_name()))?;
            }
        }
    }
    owe_again(data_folder, mark.began_at).await?;
    eprintln!("the key files are in {} too; where `key_folder` is set, move them there", data_folder.display());
    println!("{}", data_folder.display());
    Ok(())
}

/// Owes every event since the copy began to its consumers again.
async fn owe_again(data_folder: &Path, since: DateTime<Utc>) -> Result<(), Failed> {
    let url = format!("sqlite:{}", data_folder.join("database").display());
    let settings = DatabaseSettings { url, connections_max: 1 };
    for service in Service::ALL {
        let database = Database::open(&settings, service).await.map_err(failed(service.as_str()))?;
        if service == Service::Dispatch {
            // Positions after the copy will be given again, to other alerts: readers must not go on from them.
            tocsin_dispatch::renew_feed_epoch(&database).await.map_err(failed(service.as_str()))?;
        }
        let outbox = Outbox::new(service, database, Bus::in_process(), Clock::system());
        let events = outbox.redrive_since(since - MARGIN).await.map_err(failed(service.as_str()))?;
        eprintln!("restored {service}.sqlite; {events} events are said again");
    }
    Ok(())
}

/// Where the SQLite files are; PostgreSQL has better tools of its own.
fn embedded_folder(settings: &Settings) -> Result<PathBuf, Failed> {
    settings.database.url.strip_prefix("sqlite:").map(PathBuf::from).ok_or_else(|| {
        Failed::usage("only an embedded installation (SQLite) can be copied with this command")
            .advise("use pg_dump for PostgreSQL, and copy the key files of `key_folder`")
    })
}

/// The key files that are in a folder. Others that may lie there, as those of certificates, are no part of a copy.
fn key_files(folder: &Path) -> Vec<PathBuf> {
    let (there, missing): (Vec<PathBuf>, Vec<PathBuf>) =
        key_file_names().map(|name| folder.join(name)).partition(|path| path.exists());
    for path in missing {
        eprintln!("warning: {} does not exist; what it would open cannot be read from this copy", path.display());
    }
    there
}

fn create_private(folder: &Path) -> Result<(), Failed> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.map_err(|error| cannot("create", folder, &error))
}

fn copy_private(from: &Path, to: &Path) -> Result<(), Failed> {
    let bytes = fs::read(from).map_err(|error| cannot("read", from, &error))?;
    write_private(to, &bytes)
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failed> {
    let written =
        fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path).and_then(|mut file| {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
            file.write_all(bytes)?;
            file.sync_all()
        });
    written.map_err(|error| cannot("write", path, &error))
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failed {
    Failed::other(&format!("cannot {what} {}", path.display()), error)
}

fn failed<E: std::error::Error>(name: &str) -> impl Fn(E) -> Failed {
    move |error| Failed::other(&format!("the database of {name} could not be copied"), &error)
}

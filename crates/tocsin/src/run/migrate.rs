//! `tocsin migrate`: brings databases to the form that this version needs, before any service starts.

use tocsin_platform::config::Settings;
use tocsin_platform::credentials::Credentials;
use tocsin_platform::database::{Database, DatabaseError};
use tocsin_proto::catalogue::Service;

use crate::exit::Failed;

/// Migrates these services' databases and the store of keys; all four if none is named.
pub(crate) async fn run(services: &[Service], settings: Settings) -> Result<(), Failed> {
    let services = if services.is_empty() { &Service::ALL[..] } else { services };
    let migrated = Credentials::migrate(&settings.database).await.map_err(failed("keys"))?;
    eprintln!("keys: {}", if migrated { "ready" } else { "left to triage, because this role may only read them" });
    for &service in services {
        migrate(service, &settings).await.map_err(failed(service.as_str()))?;
        eprintln!("{service}: ready");
    }
    Ok(())
}

async fn migrate(service: Service, settings: &Settings) -> Result<(), DatabaseError> {
    let database = Database::open(&settings.database, service).await?;
    match service {
        Service::Intake => database.migrate::<tocsin_intake::Migrator>().await,
        Service::Triage => {
            database.migrate::<tocsin_triage::Migrator>().await?;
            tocsin_triage::migrate_key_store(&settings.database).await
        }
        Service::Dispatch => database.migrate::<tocsin_dispatch::Migrator>().await,
        Service::Notification => database.migrate::<tocsin_notification::Migrator>().await,
    }
}

fn failed(name: &str) -> impl Fn(DatabaseError) -> Failed {
    move |error| Failed::other(&format!("the database of {name} could not be migrated"), &error)
}

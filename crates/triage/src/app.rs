//! Building and running the service: everything is opened before the doors are.

use std::sync::Arc;
use std::time::Duration;

use tocsin_platform::lifecycle::{LifecycleError, Reconciler, Shutdown, Tasks};
use tocsin_platform::service::{Doors, Foundation, Parts, StartError};
use tocsin_proto::catalogue::Service;
use tocsin_proto::triage::v1::case_service_server::CaseServiceServer;
use tocsin_proto::triage::v1::key_service_server::KeyServiceServer;
use tonic::service::Routes;

use crate::api::{CaseDoor, KeyDoor};
use crate::config::TriageConfig;
use crate::consume::Inbound;
use crate::desk::Desk;
use crate::error::TriageError;
use crate::migration::Migrator;
use crate::peers::Peers;
use crate::reconcile;
use crate::vault::{MASTER_KEY_FILE, Vault, VaultError};

/// How often clocks are looked at, at least.
const ESCALATIONS_INTERVAL: Duration = Duration::from_secs(5);
/// How often the age of key pairs is looked at, at least.
const ROTATION_INTERVAL: Duration = Duration::from_mins(1);

/// How often it is looked whether messages wait for nothing and keys are past their time, at least.
const ORDER_INTERVAL: Duration = Duration::from_secs(5);

/// The key files of triage, in the folder for key files.
pub const KEY_FILES: [&str; 1] = [MASTER_KEY_FILE];

/// The triage service, built and not yet running.
pub struct App {
    foundation: Foundation,
    desk: Desk,
    escalations: Reconciler,
    rotation: Reconciler,
    started_at_ms: i64,
}

impl App {
    /// Opens database and key store, makes the first sealing key if there is none, and says the current one.
    pub async fn build(parts: Parts) -> Result<Self, StartError> {
        let config = TriageConfig::read(&parts.settings)?;
        let foundation = Foundation::lay::<Migrator>(Service::Triage, parts).await?;
        let vault = Vault::open(&foundation.settings.database, &foundation.folder()).await.map_err(start_error)?;
        let escalations = Reconciler::new("triage escalations", ESCALATIONS_INTERVAL);
        let peers = foundation.peers.clone();
        let peers = peers.ok_or_else(|| StartError::Other("triage was given no services to ask".to_owned()))?;
        let desk = Desk {
            database: foundation.database.clone(),
            outbox: foundation.outbox.clone(),
            vault,
            clock: foundation.clock.clone(),
            credentials: foundation.credentials.clone(),
            peers: Peers::new(peers.dispatch, peers.notification, config.peer_time()),
            config: Arc::new(config),
            escalations: escalations.wake_handle(),
        };
        // Without a key nobody can report, so the service does not start without one.
        reconcile::begin(&desk).await.map_err(|error| match error {
            TriageError::Database(error) => error.into(),
            TriageError::Vault(error) => start_error(error),
            other => StartError::Other(other.to_string()),
        })?;
        let rotation = Reconciler::new("triage key rotation", ROTATION_INTERVAL);
        let started_at_ms = desk.vault.now_ms(&desk.clock).await.map_err(start_error)?;
        Ok(Self { foundation, desk, escalations, rotation, started_at_ms })
    }

    /// Serves until the shutdown drains.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), LifecycleError> {
        let mut tasks = Tasks::new(self.foundation.settings.limits.drain_time());
        let desk = self.desk.clone();
        let page = move || {
            let desk = desk.clone();
            async move { reconcile::escalate(&desk).await }
        };
        tasks.spawn("triage escalations", self.escalations.run(shutdown.clone(), page));
        let desk = self.desk.clone();
        let rotate = move || {
            let desk = desk.clone();
            async move { reconcile::rotate(&desk).await }
        };
        tasks.spawn("triage key rotation", self.rotation.run(shutdown.clone(), rotate));
        let (desk, started_at_ms) = (self.desk.clone(), self.started_at_ms);
        let keep_in_order = move || {
            let desk = desk.clone();
            async move { reconcile::keep_in_order(&desk, started_at_ms).await }
        };
        let order = Reconciler::new("triage order", ORDER_INTERVAL);
        tasks.spawn("triage order", order.run(shutdown.clone(), keep_in_order));
        let routes = Routes::new(CaseServiceServer::new(CaseDoor::new(self.desk.clone())))
            .add_service(KeyServiceServer::new(KeyDoor::new(self.desk.clone())));
        let doors = Doors { routes, router: axum::Router::new(), consume: Arc::new(Inbound::new(self.desk)), tasks };
        self.foundation.run(doors, shutdown).await
    }
}

fn start_error(error: VaultError) -> StartError {
    match error {
        VaultError::Open(error) => error.into(),
        VaultError::Database(error) => error.into(),
        VaultError::MasterKey(error) => error.into(),
        other => StartError::Other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use tocsin_platform::seal::SealError;
    use tocsin_platform::testing::TestDatabase;

    use super::*;

    #[tokio::test]
    async fn who_starts_it_is_told_what_is_wrong_with_the_key_file() {
        let (database, folder) = (TestDatabase::sqlite(), tempfile::tempdir().unwrap());
        let file = folder.path().join(MASTER_KEY_FILE);
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let error = Vault::open(database.settings(), folder.path()).await.map(drop).map_err(start_error).unwrap_err();
        assert!(matches!(&error, StartError::Seal(SealError::MasterKeyOpen { .. })), "{error}");
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
}

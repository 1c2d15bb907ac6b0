//! The public key that reports are sealed to: triage says it, the newest counts, and every replica looks again often.

use std::sync::{Arc, PoisonError, RwLock};

use sea_orm::DbErr;
use tocsin_platform::database::Database;
use tocsin_platform::failure::Failure;
use tocsin_platform::seal::PublicSealingKey;
use tocsin_platform::sealing_keys;
use tocsin_proto::catalogue::Service;

use crate::error::sealing_key_missing;

/// triage's newest key as this process knows it.
pub(crate) struct TriageKey {
    database: Database,
    known: RwLock<Option<Arc<PublicSealingKey>>>,
}

impl TriageKey {
    /// Knows none yet.
    pub(crate) fn new(database: Database) -> Self {
        Self { database, known: RwLock::new(None) }
    }

    /// The key, or a failure that asks to try again while none has arrived.
    pub(crate) async fn current(&self) -> Result<Arc<PublicSealingKey>, Failure> {
        if let Some(key) = self.known() {
            return Ok(key);
        }
        self.refresh().await?;
        self.known().ok_or_else(sealing_key_missing)
    }

    /// Reads the newest key from the table, where any replica may have put it.
    pub(crate) async fn refresh(&self) -> Result<(), DbErr> {
        let Some(key) = sealing_keys::newest(self.database.reader(), Service::Triage).await? else {
            return Ok(());
        };
        if self.known().is_some_and(|known| known.id == key.id) {
            return Ok(());
        }
        match PublicSealingKey::from_bytes(&key.bytes) {
            Ok(key) => *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(key)),
            Err(error) => tracing::error!(reason = %error, "the stored sealing key of triage is no key"),
        }
        Ok(())
    }

    fn known(&self) -> Option<Arc<PublicSealingKey>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

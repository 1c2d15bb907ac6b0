//! The key store: triage's sealing key pairs and the data key of every case, wrapped under a master key that lies in a
//! file of its own. Whoever destroys a key here shreds what it opens everywhere, backups and the broker included.

mod entity;
mod migration;
mod pairs;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use sha2::Sha256;
use tocsin_domain::id::ReportId;
use tocsin_platform::database::{Database, DatabaseError, DatabaseSettings};
use tocsin_platform::seal::{DataKey, MasterKey, SealError};
use uuid::Uuid;

/// The name of the key store's database: a file or schema beside the service's own.
const DATABASE_NAME: &str = "triage_keys";
/// The master key's file in the folder for key files.
pub(crate) const MASTER_KEY_FILE: &str = "triage-master.key";
/// The row of the key that hashes what must be found again.
const LOOKUP_KEY_NAME: &str = "lookup";

/// Why the key store could not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// The key store's database failed or is away.
    #[error("the key store did not answer")]
    Database(#[from] sea_orm::DbErr),
    /// The key store could not be opened.
    #[error("the key store could not be opened")]
    Open(#[from] DatabaseError),
    /// The master key's file cannot be used; the error says what to do.
    #[error(transparent)]
    MasterKey(SealError),
    /// A key does not unwrap: the master key's file is not the one it was wrapped under, or a row was changed.
    #[error("a key does not unwrap: check that {MASTER_KEY_FILE} is the file that belongs to this key store")]
    Seal(#[from] SealError),
    /// The key was destroyed.
    #[error("the key was destroyed: what it opened can never be read again")]
    Shredded,
}

/// Brings the key store's database to the present form.
pub async fn migrate(settings: &DatabaseSettings) -> Result<(), DatabaseError> {
    Database::open_named(settings, DATABASE_NAME).await?.migrate::<migration::Migrator>().await
}

/// The key store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Vault {
    database: Database,
    master: Arc<MasterKey>,
    lookup: DataKey,
}

impl Vault {
    /// Opens the key store and makes what is missing: tables, master key, lookup key.
    pub(crate) async fn open(settings: &DatabaseSettings, folder: &Path) -> Result<Self, VaultError> {
        let database = Database::open_named(settings, DATABASE_NAME).await?;
        database.migrate::<migration::Migrator>().await?;
        let path = folder.join(MASTER_KEY_FILE);
        let master = tokio::task::spawn_blocking(move || MasterKey::load_or_create(&path))
            .await
            .map_err(|_| SealError::Random)
            .flatten()
            .map_err(VaultError::MasterKey)?;
        let lookup = own_key(&database, &master, LOOKUP_KEY_NAME).await?;
        Ok(Self { database, master: Arc::new(master), lookup })
    }

    /// Keeps the data key of a report. The first one kept stays: the same event may come again.
    pub(crate) async fn keep_data_key(&self, report: ReportId, key: &DataKey, now_ms: i64) -> Result<(), VaultError> {
        let row = entity::data_key::ActiveModel {
            report_id: Set(report.as_uuid()),
            wrapped: Set(self.master.wrap(key, &data_key_name(report.as_uuid()))?),
            kept_at_ms: Set(now_ms),
        };
        let transaction = self.database.begin().await?;
        entity::data_key::Entity::insert(row)
            .on_conflict(OnConflict::column(entity::data_key::Column::ReportId).do_nothing().to_owned())
            .exec_without_returning(&transaction)
            .await?;
        Ok(tocsin_platform::database::commit(transaction, "triage.keep_data_key").await?)
    }

    /// The data key of one report.
    pub(crate) async fn data_key(&self, report: Uuid) -> Result<DataKey, VaultError> {
        let row = entity::data_key::Entity::find_by_id(report).one(self.database.reader()).await?;
        let row = row.ok_or(VaultError::Shredded)?;
        Ok(self.master.unwrap(&row.wrapped, &data_key_name(report))?)
    }

    /// The data keys of several reports; those that were destroyed are left out.
    pub(crate) async fn data_keys(&self, reports: Vec<Uuid>) -> Result<HashMap<Uuid, DataKey>, VaultError> {
        let rows = entity::data_key::Entity::find()
            .filter(entity::data_key::Column::ReportId.is_in(reports))
            .all(self.database.reader())
            .await?;
        rows.into_iter()
            .map(|row| Ok((row.report_id, self.master.unwrap(&row.wrapped, &data_key_name(row.report_id))?)))
            .collect()
    }

    /// A keyed hash by which something can be found again but not read; `purpose` keeps uses apart.
    pub(crate) fn lookup_hash(&self, purpose: &str, text: &str) -> Vec<u8> {
        // HMAC takes a key of any length, so this never falls back.
        Hmac::<Sha256>::new_from_slice(self.lookup.as_bytes()).map_or_else(
            |_| Vec::new(),
            |hash| {
                hash.chain_update(purpose.as_bytes())
                    .chain_update([0])
                    .chain_update(text.as_bytes())
                    .finalize()
                    .into_bytes()
                    .to_vec()
            },
        )
    }
}

fn data_key_name(report: Uuid) -> String {
    format!("case-key:{report}")
}

/// A key of the service's own, made at the first start. Two replicas that start at once end with the same one.
async fn own_key(database: &Database, master: &MasterKey, name: &str) -> Result<DataKey, VaultError> {
    let associated = format!("own-key:{name}");
    let row = entity::own_key::ActiveModel {
        name: Set(name.to_owned()),
        wrapped: Set(master.wrap(&DataKey::generate()?, &associated)?),
    };
    let transaction = database.begin().await?;
    entity::own_key::Entity::insert(row)
        .on_conflict(OnConflict::column(entity::own_key::Column::Name).do_nothing().to_owned())
        .exec_without_returning(&transaction)
        .await?;
    let kept = entity::own_key::Entity::find_by_id(name).one(&transaction).await?;
    tocsin_platform::database::commit(transaction, "triage.make_own_key").await?;
    let kept = kept.ok_or(VaultError::Shredded)?;
    Ok(master.unwrap(&kept.wrapped, &associated)?)
}

//! Triage's sealing key pairs: one is current, older ones open what is still on its way, and then are destroyed.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait, QueryFilter, QueryOrder,
};
use tocsin_platform::clock::{Clock, to_ms};
use tocsin_platform::database::agreed_now;
use tocsin_platform::seal::{PublicSealingKey, SealingKeyPair};

use super::{Vault, VaultError, entity};

impl Vault {
    /// The time on which all processes over this key store agree, in milliseconds.
    pub(crate) async fn now_ms(&self, clock: &Clock) -> Result<i64, VaultError> {
        Ok(to_ms(agreed_now(self.database.reader(), clock).await?))
    }

    /// Makes a new pair if the current one is older than `period`, or there is none. Of several replicas one does it.
    /// Returns whether this call made one.
    pub(crate) async fn rotate_if_due(&self, now_ms: i64, period: Duration) -> Result<bool, VaultError> {
        let due_before_ms = now_ms.saturating_sub(milliseconds(period));
        let transaction = self.database.begin().await?;
        let taken = entity::rotation::Entity::update_many()
            .col_expr(entity::rotation::Column::RotatedAtMs, Expr::value(now_ms))
            .filter(entity::rotation::Column::RotatedAtMs.lte(due_before_ms))
            .exec(&transaction)
            .await?;
        if taken.rows_affected == 0 {
            tocsin_platform::database::commit(transaction, "triage.rotate_pair").await?;
            return Ok(false);
        }
        self.replace_current(&transaction, now_ms).await?;
        tocsin_platform::database::commit(transaction, "triage.rotate_pair").await?;
        Ok(true)
    }

    async fn replace_current(&self, transaction: &DatabaseTransaction, now_ms: i64) -> Result<(), VaultError> {
        let pair = SealingKeyPair::generate()?;
        let public = pair.public();
        entity::pair::Entity::update_many()
            .col_expr(entity::pair::Column::RetiredAtMs, Expr::value(now_ms))
            .filter(entity::pair::Column::RetiredAtMs.is_null())
            .exec(transaction)
            .await?;
        let row = entity::pair::ActiveModel {
            key_id: Set(public.id.clone()),
            public_key: Set(public.bytes.clone()),
            wrapped_secret: Set(Some(self.master.wrap_bytes(&pair.to_secret_bytes(), &pair_name(&public.id))?)),
            made_at_ms: Set(now_ms),
            retired_at_ms: Set(None),
        };
        row.insert(transaction).await?;
        Ok(())
    }

    /// The public half to which reports should be sealed now, and when it was made.
    pub(crate) async fn current_public(&self) -> Result<(PublicSealingKey, i64), VaultError> {
        let row = entity::pair::Entity::find()
            .filter(entity::pair::Column::RetiredAtMs.is_null())
            .order_by_desc(entity::pair::Column::MadeAtMs)
            .one(self.database.reader())
            .await?
            .ok_or(VaultError::Shredded)?;
        Ok((PublicSealingKey { id: row.key_id, bytes: row.public_key }, row.made_at_ms))
    }

    /// When the current pair was made or the last rotation was, in milliseconds.
    pub(crate) async fn rotated_at_ms(&self) -> Result<i64, VaultError> {
        let row = entity::rotation::Entity::find_by_id(1).one(self.database.reader()).await?;
        Ok(row.map_or(i64::MIN, |row| row.rotated_at_ms))
    }

    /// The pair with this id, while its private half exists.
    pub(crate) async fn pair(&self, key_id: &str) -> Result<SealingKeyPair, VaultError> {
        let row = entity::pair::Entity::find_by_id(key_id).one(self.database.reader()).await?;
        let wrapped = row.and_then(|row| row.wrapped_secret).ok_or(VaultError::Shredded)?;
        let secret = self.master.unwrap_bytes(&wrapped, &pair_name(key_id))?;
        Ok(SealingKeyPair::from_secret_bytes(&secret)?)
    }

    /// The ids of the pairs that were retired before `retired_before_ms` and whose private halves still exist.
    pub(crate) async fn retired(&self, retired_before_ms: i64) -> Result<Vec<String>, VaultError> {
        let rows = entity::pair::Entity::find()
            .filter(entity::pair::Column::RetiredAtMs.lt(retired_before_ms))
            .filter(entity::pair::Column::WrappedSecret.is_not_null())
            .all(self.database.reader())
            .await?;
        Ok(rows.into_iter().map(|row| row.key_id).collect())
    }

    /// Destroys the private halves of these pairs: what is sealed to them and was not taken can never be read.
    pub(crate) async fn destroy(&self, doomed: &[String]) -> Result<(), VaultError> {
        let transaction = self.database.begin().await?;
        self.overwrite_what_is_deleted(&transaction).await?;
        entity::pair::Entity::update_many()
            .col_expr(entity::pair::Column::WrappedSecret, Expr::value(None::<Vec<u8>>))
            .filter(entity::pair::Column::KeyId.is_in(doomed))
            .exec(&transaction)
            .await?;
        tocsin_platform::database::commit(transaction, "triage.destroy_pair").await?;
        Ok(self.empty_the_log().await?)
    }

    /// SQLite leaves deleted bytes in the file unless it is told to overwrite them.
    async fn overwrite_what_is_deleted(&self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        if self.database.backend() == DbBackend::Sqlite {
            transaction.execute_unprepared("PRAGMA secure_delete = ON").await?;
        }
        Ok(())
    }

    /// SQLite's write-ahead log still holds the old pages until it is carried over and emptied.
    async fn empty_the_log(&self) -> Result<(), DbErr> {
        if self.database.backend() == DbBackend::Sqlite {
            self.database.reader().execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        }
        Ok(())
    }
}

fn pair_name(key_id: &str) -> String {
    format!("key-pair:{key_id}")
}

fn milliseconds(period: Duration) -> i64 {
    i64::try_from(period.as_millis()).unwrap_or(i64::MAX)
}

//! What only this service can open: its sealing pair, the key of the contacts' details, and the key that proves that a
//! delivery receipt answers one of our messages. All three are drawn once and kept wrapped under the master key's file.

use hmac::{Hmac, KeyInit, Mac};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::Database;
use tocsin_platform::outbox::{Outbox, OutgoingEvent};
use tocsin_platform::seal::{DataKey, MasterKey, SealError, SealingKeyPair};
use tocsin_proto::catalogue::{Lane, NOTIFICATION_KEY_PUBLISHED};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::KeyPublished;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::entity::local_secret;

const SEALING_PAIR: &str = "sealing_pair";
const CONTACT_KEY: &str = "contact_key";
const RECEIPT_KEY: &str = "receipt_key";

/// The secrets could not be read or made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    /// The database.
    #[error("the local secrets could not be read or stored")]
    Database(#[from] DbErr),
    /// They do not open: the master key is another one than they were wrapped under.
    #[error("the local secrets do not open: restore the master key file that belongs to this database")]
    Seal(#[from] SealError),
    /// A row that was just written is not there.
    #[error("the local secret `{0}` is missing after it was stored")]
    Missing(&'static str),
}

/// The secrets, in memory.
pub(crate) struct LocalSecrets {
    pub(crate) pair: SealingKeyPair,
    contact_key: DataKey,
    receipt_key: DataKey,
}

impl LocalSecrets {
    /// Reads the secrets, making what is missing. Replicas that start together end with the same ones.
    pub(crate) async fn load(database: &Database, master: &MasterKey) -> Result<Self, SecretsError> {
        let pair = read_or_make(database, master, SEALING_PAIR, || {
            SealingKeyPair::generate().map(|pair| pair.to_secret_bytes())
        })
        .await?;
        let fresh = || DataKey::generate().map(|key| Zeroizing::new(key.as_bytes().to_vec()));
        let contact_key = read_or_make(database, master, CONTACT_KEY, fresh).await?;
        let receipt_key = read_or_make(database, master, RECEIPT_KEY, fresh).await?;
        Ok(Self {
            pair: SealingKeyPair::from_secret_bytes(&pair)?,
            contact_key: DataKey::from_bytes(&contact_key)?,
            receipt_key: DataKey::from_bytes(&receipt_key)?,
        })
    }

    /// Says the public half to the others, unless it was said before.
    pub(crate) async fn publish(
        &self,
        database: &Database,
        outbox: &Outbox,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), DbErr> {
        let transaction = database.begin().await?;
        let said = local_secret::Entity::update_many()
            .set(local_secret::ActiveModel { published_at_ms: Set(Some(to_ms(now))), ..Default::default() })
            .filter(local_secret::Column::Name.eq(SEALING_PAIR))
            .filter(local_secret::Column::PublishedAtMs.is_null())
            .exec(&transaction)
            .await?;
        if said.rows_affected > 0 {
            let public = self.pair.public();
            let message = KeyPublished {
                key: Some(tocsin_proto::common::v1::PublicSealingKey {
                    id: public.id.clone(),
                    key: public.bytes.clone(),
                }),
                published_at: Some(timestamp(now)),
            };
            let event = OutgoingEvent::new(
                &NOTIFICATION_KEY_PUBLISHED,
                Lane::Urgent,
                public.id.clone(),
                to_ms(now),
                &message,
                now,
            );
            outbox.record(&transaction, &[event]).await?;
        }
        tocsin_platform::database::commit(transaction, "notification.publish_key").await?;
        outbox.wake();
        Ok(())
    }

    /// The key under which contacts' details are kept.
    pub(crate) fn contact_key(&self) -> &DataKey {
        &self.contact_key
    }

    /// What a receipt of this gateway for this notice must show, as 64 hexadecimal digits.
    pub(crate) fn receipt_mac(&self, gateway: &str, notice_id: Uuid) -> String {
        self.receipt(gateway, notice_id).map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default()
    }

    /// Whether a receipt shows it, in constant time.
    pub(crate) fn receipt_is_ours(&self, gateway: &str, notice_id: Uuid, shown: &str) -> bool {
        let Ok(shown) = hex::decode(shown) else { return false };
        self.receipt(gateway, notice_id).is_some_and(|mac| mac.verify_slice(&shown).is_ok())
    }

    /// One gateway's MAC says nothing for another, so that none can speak of what it was not given.
    fn receipt(&self, gateway: &str, notice_id: Uuid) -> Option<Hmac<Sha256>> {
        Some(self.mac(b"receipt\0", notice_id.as_bytes())?.chain_update(gateway.as_bytes()))
    }

    /// A number as it can be found without being kept: 32 hexadecimal digits of a keyed hash.
    pub(crate) fn phone_mac(&self, phone: &str) -> String {
        let digest = self.mac(b"phone\0", phone.as_bytes()).map(|mac| mac.finalize().into_bytes());
        digest.as_ref().and_then(|digest| digest.first_chunk::<16>()).map(hex::encode).unwrap_or_default()
    }

    /// Proves that we wrote something for a purpose: 32 bytes, of which the first few may do.
    pub(crate) fn proof(&self, purpose: &[u8], text: &[u8]) -> Vec<u8> {
        self.mac(purpose, text).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
    }

    /// Whether this is the beginning of that proof, in constant time.
    pub(crate) fn proof_holds(&self, purpose: &[u8], text: &[u8], shown: &[u8]) -> bool {
        !shown.is_empty() && self.mac(purpose, text).is_some_and(|mac| mac.verify_truncated_left(shown).is_ok())
    }

    /// An e-mail address as it is remembered with bounces: a keyed hash, so that their tables name nobody.
    pub(crate) fn address_mac(&self, address: &str) -> String {
        hex::encode(self.proof(b"mail address\0", address.to_ascii_lowercase().as_bytes()))
    }

    /// A destination as limits are kept for it: a keyed hash, so that the table of notices names no member's host.
    pub(crate) fn destination(&self, name: &str) -> i64 {
        let digest = self.mac(b"destination\0", name.as_bytes()).map(|mac| mac.finalize().into_bytes());
        let first = digest.as_ref().and_then(|digest| digest.first_chunk::<8>());
        first.map_or(0, |bytes| i64::from_be_bytes(*bytes))
    }

    fn mac(&self, purpose: &[u8], text: &[u8]) -> Option<Hmac<Sha256>> {
        let mac = Hmac::<Sha256>::new_from_slice(self.receipt_key.as_bytes()).ok()?;
        Some(mac.chain_update(purpose).chain_update(text))
    }
}

/// An id that follows from a text, for rows that several processes may make at the same time.
pub(crate) fn derived_id(text: &str) -> Uuid {
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, from)| *byte = from);
    Uuid::from_bytes(bytes)
}

async fn read_or_make(
    database: &Database,
    master: &MasterKey,
    name: &'static str,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, SealError>,
) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
    let associated = format!("notification:{name}");
    let transaction = database.begin().await?;
    if local_secret::Entity::find_by_id(name).one(&transaction).await?.is_none() {
        let row = local_secret::ActiveModel {
            name: Set(name.to_owned()),
            wrapped: Set(master.wrap_bytes(&make()?, &associated)?),
            published_at_ms: Set(None),
        };
        local_secret::Entity::insert(row)
            .on_conflict(OnConflict::column(local_secret::Column::Name).do_nothing().to_owned())
            .exec_without_returning(&transaction)
            .await?;
    }
    let row = local_secret::Entity::find_by_id(name).one(&transaction).await?.ok_or(SecretsError::Missing(name))?;
    tocsin_platform::database::commit(transaction, "notification.make_secrets").await?;
    Ok(master.unwrap_bytes(&row.wrapped, &associated)?)
}

//! `dispatch_key.published`: the key to which released texts are sealed.

use sea_orm::DatabaseTransaction;
use tocsin_platform::clock::to_ms;
use tocsin_platform::seal::PublicSealingKey;
use tocsin_proto::catalogue::Service;
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::event::v1::KeyPublished;

use crate::error::TriageError;
use crate::store::keys;

pub(super) async fn consume(transaction: &DatabaseTransaction, event: KeyPublished) -> Result<(), TriageError> {
    let key = event.key.ok_or(TriageError::Foreign("a key event without a key"))?;
    let key = PublicSealingKey::from_bytes(&key.key)?;
    let at = from_timestamp(event.published_at.as_ref()).ok_or(TriageError::Foreign("a moment in an event"))?;
    keys::keep(transaction, Service::Dispatch, &key, to_ms(at)).await
}

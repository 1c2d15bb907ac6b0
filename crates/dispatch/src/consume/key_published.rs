//! `notification_key.published`: texts at CLEAR and GREEN are sealed to this key from now on.

use sea_orm::DatabaseTransaction;
use tocsin_platform::clock::to_ms;
use tocsin_platform::consume::{ConsumeError, IncomingEvent};
use tocsin_platform::seal::PublicSealingKey;
use tocsin_proto::catalogue::Service;
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::event::v1::KeyPublished;

use crate::error::fault;
use crate::store;

pub(super) async fn consume(transaction: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
    let message: KeyPublished = event.message()?;
    let given = message.key.ok_or_else(|| fault("the event holds no key"))?;
    let published_at = from_timestamp(message.published_at.as_ref()).ok_or_else(|| fault("published_at is missing"))?;
    let key = PublicSealingKey::try_from(given).map_err(|_| fault("key is no sealing key with this id"))?;
    store::keys::put(transaction, Service::Notification.as_str(), &key, to_ms(published_at)).await?;
    Ok(())
}

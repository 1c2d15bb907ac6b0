//! Events in, one file an event.

mod message_received;
mod report_received;
mod response_recorded;

use async_trait::async_trait;
use sea_orm::DatabaseTransaction;
use tocsin_platform::consume::{Consume, ConsumeError, IncomingEvent};
use tocsin_platform::seal::{self, DataKey, Sealed};
use tocsin_platform::sealing_keys;
use tocsin_proto::catalogue::{DISPATCH_KEY_PUBLISHED, MESSAGE_RECEIVED, REPORT_RECEIVED, RESPONSE_RECORDED, Service};
use uuid::Uuid;

pub(crate) use message_received::adopt;

use crate::desk::Desk;
use crate::error::TriageError;

/// What triage does with each event that the catalogue names for it.
pub(crate) struct Inbound {
    desk: Desk,
}

impl Inbound {
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[async_trait]
impl Consume for Inbound {
    async fn consume(&self, transaction: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
        let desk = &self.desk;
        if event.kind == &REPORT_RECEIVED {
            report_received::consume(desk, transaction, event.message()?).await?;
        } else if event.kind == &MESSAGE_RECEIVED {
            message_received::consume(desk, transaction, event.message()?).await?;
        } else if event.kind == &RESPONSE_RECORDED {
            response_recorded::consume(desk, transaction, event.message()?).await?;
        } else if event.kind == &DISPATCH_KEY_PUBLISHED {
            return sealing_keys::hear(transaction, Service::Dispatch, event).await;
        } else {
            return Err(ConsumeError::Fault(format!("triage does not take {}", event.kind.name)));
        }
        Ok(())
    }

    async fn committed(&self, event: &IncomingEvent) {
        if event.kind == &REPORT_RECEIVED {
            self.desk.escalations.wake();
        }
    }
}

/// An id that another service wrote.
fn id(text: &str) -> Result<Uuid, TriageError> {
    Uuid::try_parse(text).map_err(|_| TriageError::Foreign("an id in an event"))
}

/// The data key of something sealed to triage.
async fn data_key(desk: &Desk, associated: &str, sealed: &Sealed) -> Result<DataKey, TriageError> {
    let pair = desk.vault.pair(&sealed.key_id).await?;
    Ok(seal::unwrap_key(&pair, sealed, associated)?)
}

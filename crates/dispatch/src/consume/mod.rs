//! What dispatch hears: one function an event. Each keeps its effects and what it says in the given transaction.

mod batches;
mod progressed;
mod released;
mod replied;
mod withdrawn;

use async_trait::async_trait;
use sea_orm::DatabaseTransaction;
use tocsin_platform::consume::{Consume, ConsumeError, IncomingEvent};
use tocsin_platform::sealing_keys;
use tocsin_proto::catalogue::{
    ALERT_RELEASED, ALERT_WITHDRAWN, NOTICES_PROGRESSED, NOTIFICATION_KEY_PUBLISHED, REPLY_RECEIVED, Service,
};

use crate::dispatch::Shared;
use crate::error::fault;

/// Every event that dispatch acts on.
pub(crate) struct Events {
    pub(crate) dispatch: Shared,
}

#[async_trait]
impl Consume for Events {
    async fn consume(&self, transaction: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
        if *event.kind == ALERT_RELEASED {
            released::consume(&self.dispatch, transaction, event).await
        } else if *event.kind == ALERT_WITHDRAWN {
            withdrawn::consume(&self.dispatch, transaction, event).await
        } else if *event.kind == NOTICES_PROGRESSED {
            progressed::consume(transaction, event).await
        } else if *event.kind == NOTIFICATION_KEY_PUBLISHED {
            sealing_keys::hear(transaction, Service::Notification, event).await
        } else if *event.kind == REPLY_RECEIVED {
            replied::consume(&self.dispatch, transaction, event).await
        } else {
            Err(fault("dispatch does not consume events of this kind"))
        }
    }

    async fn committed(&self, event: &IncomingEvent) {
        if *event.kind == ALERT_RELEASED || *event.kind == ALERT_WITHDRAWN {
            self.dispatch.tail.wake();
        }
    }
}

//! `reply.received`: a contact answered a notice, as by SMS. It acknowledges for its organisation, as the page behind the
//! link of a message does.

use sea_orm::DatabaseTransaction;
use tocsin_platform::consume::{ConsumeError, IncomingEvent};
use tocsin_proto::event::v1::ReplyReceived;

use crate::dispatch::Dispatch;
use crate::error::{DispatchError, fault};
use crate::respond::respond_in;
use crate::response::Response;
use crate::store::alerts::AlertName;

pub(super) async fn consume(
    dispatch: &Dispatch,
    transaction: &DatabaseTransaction,
    event: &IncomingEvent,
) -> Result<(), ConsumeError> {
    let message: ReplyReceived = event.message()?;
    let named = dispatch.keys.verify(&message.acknowledge_token);
    let (alert, contact) = named.ok_or_else(|| fault("acknowledge_token was not made here"))?;
    if alert.to_string() != message.alert_id || contact.as_str() != message.contact_id {
        return Err(fault("acknowledge_token names another alert or contact"));
    }
    let network = dispatch.networks.current(transaction).await?;
    // A contact that has left the network since answers for nobody.
    let Some(organisation) = network.owner(&contact).cloned() else { return Ok(()) };
    let name = AlertName::Id(alert.as_uuid());
    match respond_in(dispatch, transaction, &name, &organisation, Response::Acknowledged).await {
        // It was withdrawn, or went to others, before the answer came: then there is nothing to record.
        Ok(_) | Err(DispatchError::NoAlert | DispatchError::Response(_)) => Ok(()),
        Err(DispatchError::Database(error)) => Err(error.into()),
        Err(error) => Err(fault(&error.to_string())),
    }
}

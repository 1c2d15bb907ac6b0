//! `response.recorded`: an organisation answered an alert.

use sea_orm::DatabaseTransaction;
use tocsin_platform::clock::to_ms;
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::event::v1::ResponseRecorded;

use crate::consume;
use crate::desk::Desk;
use crate::error::TriageError;
use crate::store::alerts;

pub(super) async fn consume(
    desk: &Desk,
    transaction: &DatabaseTransaction,
    event: ResponseRecorded,
) -> Result<(), TriageError> {
    let alert = consume::id(&event.alert_id)?;
    let at = from_timestamp(event.at.as_ref()).unwrap_or_else(|| desk.clock.now());
    alerts::record_response(transaction, alert, &event, to_ms(at)).await
}

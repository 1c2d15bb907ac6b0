//! `ListAlerts`: what the caller may see, the newest first.

use tocsin_domain::id::AlertId;
use tocsin_platform::failure::Failure;
use tocsin_proto::dispatch::v1::{ListAlertsRequest, ListAlertsResponse};
use tonic::{Request, Status};

use super::page;
use crate::dispatch::{Dispatch, READERS, Reader};
use crate::error::DispatchError;
use crate::store;
use crate::view;

pub(super) async fn handle(
    dispatch: &Dispatch,
    request: Request<ListAlertsRequest>,
) -> Result<ListAlertsResponse, Status> {
    let principal = dispatch.credentials.require(request.metadata(), &READERS).await?;
    let reader = Reader::of(&principal)?;
    let request = request.into_inner();
    let before: Option<AlertId> = page::token(&request.page_token)?;
    let size = page::size(request.page_size);
    let limit = u64::try_from(size + 1).unwrap_or(u64::MAX);
    let before = before.map(|id| id.as_uuid());
    let mut rows = store::alerts::page(dispatch.database.reader(), before, reader.organisation(), limit)
        .await
        .map_err(Failure::from)?;
    let more = rows.len() > size;
    rows.truncate(size);
    let next_page_token = rows.last().filter(|_| more).map(|row| row.alert_id.to_string()).unwrap_or_default();
    let now_ms = dispatch.agreed_now_ms().await.map_err(Failure::from)?;
    let mut alerts = Vec::with_capacity(rows.len());
    for row in &rows {
        let content = dispatch.contents.of(row).map_err(DispatchError::from)?.ok_or(DispatchError::NoAlert)?;
        alerts.push(view::full(row, &content, now_ms));
    }
    Ok(ListAlertsResponse { alerts, next_page_token })
}

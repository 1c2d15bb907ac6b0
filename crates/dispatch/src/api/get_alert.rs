//! `GetAlert`: one alert by id, short code or reference.

use tocsin_platform::failure::Failure;
use tocsin_proto::dispatch::v1::{GetAlertRequest, GetAlertResponse};
use tonic::{Request, Status};

use crate::dispatch::{Dispatch, READERS, Reader};
use crate::error::DispatchError;
use crate::store;
use crate::view;

pub(super) async fn handle(dispatch: &Dispatch, request: Request<GetAlertRequest>) -> Result<GetAlertResponse, Status> {
    let principal = dispatch.credentials.require(request.metadata(), &READERS).await?;
    let reader = Reader::of(&principal)?;
    let name = dispatch.alert_name(&request.into_inner().alert)?;
    let row = store::alerts::find_named(dispatch.database.reader(), &name, reader.organisation())
        .await
        .map_err(Failure::from)?
        .ok_or(DispatchError::NoAlert)?;
    let content = dispatch.contents.of(&row).map_err(DispatchError::from)?.ok_or(DispatchError::NoAlert)?;
    let now_ms = dispatch.agreed_now_ms().await.map_err(Failure::from)?;
    Ok(GetAlertResponse { alert: Some(view::full(&row, &content, now_ms)) })
}

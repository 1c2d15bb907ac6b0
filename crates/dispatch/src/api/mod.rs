//! The gRPC door: one file a verb.

mod coverage;
mod get_alert;
mod import_organisations;
mod list_alerts;
mod list_organisations;
mod page;
mod preview_audience;
mod respond_to_alert;
mod watch_alerts;

use std::pin::Pin;

use futures::Stream;
use tocsin_platform::lifecycle::Shutdown;
use tocsin_proto::dispatch::v1::alert_service_server::{AlertService, AlertServiceServer};
use tocsin_proto::dispatch::v1::organisation_service_server::{OrganisationService, OrganisationServiceServer};
use tocsin_proto::dispatch::v1::{
    GetAlertRequest, GetAlertResponse, GetCoverageRequest, GetCoverageResponse, ImportOrganisationsRequest,
    ImportOrganisationsResponse, ListAlertsRequest, ListAlertsResponse, ListOrganisationsRequest,
    ListOrganisationsResponse, PreviewAudienceRequest, PreviewAudienceResponse, RespondToAlertRequest,
    RespondToAlertResponse, WatchAlertsRequest, WatchAlertsResponse,
};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::dispatch::Shared;

/// Both services as the platform serves them.
pub(crate) fn routes(dispatch: &Shared, shutdown: &Shutdown) -> Routes {
    let organisations = Organisations { dispatch: Shared::clone(dispatch) };
    let alerts = Alerts { dispatch: Shared::clone(dispatch), shutdown: shutdown.clone() };
    Routes::new(OrganisationServiceServer::new(organisations)).add_service(AlertServiceServer::new(alerts))
}

struct Organisations {
    dispatch: Shared,
}

#[tonic::async_trait]
impl OrganisationService for Organisations {
    async fn import_organisations(
        &self,
        request: Request<ImportOrganisationsRequest>,
    ) -> Result<Response<ImportOrganisationsResponse>, Status> {
        Ok(Response::new(import_organisations::handle(&self.dispatch, request).await?))
    }

    async fn list_organisations(
        &self,
        request: Request<ListOrganisationsRequest>,
    ) -> Result<Response<ListOrganisationsResponse>, Status> {
        Ok(Response::new(list_organisations::handle(&self.dispatch, request).await?))
    }
}

struct Alerts {
    dispatch: Shared,
    shutdown: Shutdown,
}

#[tonic::async_trait]
impl AlertService for Alerts {
    type WatchAlertsStream = Pin<Box<dyn Stream<Item = Result<WatchAlertsResponse, Status>> + Send>>;

    async fn preview_audience(
        &self,
        request: Request<PreviewAudienceRequest>,
    ) -> Result<Response<PreviewAudienceResponse>, Status> {
        Ok(Response::new(preview_audience::handle(&self.dispatch, request).await?))
    }

    async fn watch_alerts(
        &self,
        request: Request<WatchAlertsRequest>,
    ) -> Result<Response<Self::WatchAlertsStream>, Status> {
        Ok(Response::new(Box::pin(watch_alerts::handle(&self.dispatch, &self.shutdown, request).await?)))
    }

    async fn list_alerts(&self, request: Request<ListAlertsRequest>) -> Result<Response<ListAlertsResponse>, Status> {
        Ok(Response::new(list_alerts::handle(&self.dispatch, request).await?))
    }

    async fn get_alert(&self, request: Request<GetAlertRequest>) -> Result<Response<GetAlertResponse>, Status> {
        Ok(Response::new(get_alert::handle(&self.dispatch, request).await?))
    }

    async fn respond_to_alert(
        &self,
        request: Request<RespondToAlertRequest>,
    ) -> Result<Response<RespondToAlertResponse>, Status> {
        Ok(Response::new(respond_to_alert::handle(&self.dispatch, request).await?))
    }

    async fn get_coverage(
        &self,
        request: Request<GetCoverageRequest>,
    ) -> Result<Response<GetCoverageResponse>, Status> {
        Ok(Response::new(coverage::handle(&self.dispatch, request).await?))
    }
}

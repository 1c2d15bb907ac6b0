//! What operators see of a service's bus, and how they have events run again: one gRPC door that every service has,
//! one file a verb.

mod get_bus;
mod list_advisories;
mod list_dead_letters;
mod redrive_dead_letters;
mod redrive_events;

use tocsin_proto::catalogue::Service;
use tocsin_proto::operations::v1 as wire;
use tocsin_proto::operations::v1::operations_service_server::OperationsService;
use tonic::{Request, Response, Status};

use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::database::Database;
use crate::outbox::Outbox;

/// The door of one service.
#[derive(Debug)]
pub struct OperationsDoor {
    /// Whose bus it is.
    pub service: Service,
    /// The service's own database.
    pub database: Database,
    /// The service's outbox.
    pub outbox: Outbox,
    /// The only source of time.
    pub clock: Clock,
    /// The store of keys.
    pub credentials: Credentials,
}

#[tonic::async_trait]
impl OperationsService for OperationsDoor {
    async fn get_bus(&self, request: Request<wire::GetBusRequest>) -> Result<Response<wire::GetBusResponse>, Status> {
        Ok(Response::new(get_bus::get_bus(self, request).await?))
    }

    async fn list_dead_letters(
        &self,
        request: Request<wire::ListDeadLettersRequest>,
    ) -> Result<Response<wire::ListDeadLettersResponse>, Status> {
        Ok(Response::new(list_dead_letters::list_dead_letters(self, request).await?))
    }

    async fn redrive_dead_letters(
        &self,
        request: Request<wire::RedriveDeadLettersRequest>,
    ) -> Result<Response<wire::RedriveDeadLettersResponse>, Status> {
        Ok(Response::new(redrive_dead_letters::redrive_dead_letters(self, request).await?))
    }

    async fn redrive_events(
        &self,
        request: Request<wire::RedriveEventsRequest>,
    ) -> Result<Response<wire::RedriveEventsResponse>, Status> {
        Ok(Response::new(redrive_events::redrive_events(self, request).await?))
    }

    async fn list_advisories(
        &self,
        request: Request<wire::ListAdvisoriesRequest>,
    ) -> Result<Response<wire::ListAdvisoriesResponse>, Status> {
        Ok(Response::new(list_advisories::list_advisories(self, request).await?))
    }
}

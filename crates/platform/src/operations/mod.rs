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
use crate::consume::dead_letters::PAGE_MAX;
use crate::credentials::Credentials;
use crate::database::Database;
use crate::failure::Failure;
use crate::outbox::Outbox;

/// Rows in a page when the caller does not say.
const PAGE: u64 = 50;

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

/// How many rows a page has.
fn page_size(asked: u32) -> u64 {
    if asked == 0 { PAGE } else { u64::from(asked).min(PAGE_MAX) }
}

/// Where a page begins; a token is what names the last row of the page before.
fn page_token<T: std::str::FromStr>(text: &str) -> Result<Option<T>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let says = "this page token is not one of ours; begin again without it";
        Failure::invalid("PAGE_TOKEN_INVALID", says).field("page_token", says)
    })
}

//! The gRPC door. Reporters need no key of ours: the receipt is their key.

use std::sync::Arc;

use prost::Message;
use tocsin_proto::intake::v1::intake_service_server::IntakeService;
use tocsin_proto::intake::v1::{
    AddMessageRequest, AddMessageResponse, GetReportRequest, GetReportResponse, SubmitReportRequest,
    SubmitReportResponse,
};
use tonic::{Request, Response, Status, async_trait};

use super::{add_message, get_report, submit_report};
use crate::idempotency::IdempotencyKey;
use crate::intake::Intake;

const KEY_FIELD: &str = "the field idempotency_key";

/// The service of the three verbs.
pub(crate) struct IntakeDoor(pub(crate) Arc<Intake>);

#[async_trait]
impl IntakeService for IntakeDoor {
    async fn submit_report(
        &self,
        request: Request<SubmitReportRequest>,
    ) -> Result<Response<SubmitReportResponse>, Status> {
        let request = request.into_inner();
        let mut place = self.0.room.place();
        place.grow(request.encoded_len()).await?;
        let key = IdempotencyKey::parse(&request.idempotency_key, KEY_FIELD)?;
        let report = request.report.unwrap_or_default();
        let answer = submit_report::submit(&self.0, &report, &key, Vec::new(), "report.").await?;
        Ok(Response::new(answer))
    }

    async fn get_report(&self, request: Request<GetReportRequest>) -> Result<Response<GetReportResponse>, Status> {
        let answer = get_report::get(&self.0, &request.into_inner().receipt).await?;
        Ok(Response::new(answer))
    }

    async fn add_message(&self, request: Request<AddMessageRequest>) -> Result<Response<AddMessageResponse>, Status> {
        let request = request.into_inner();
        let mut place = self.0.room.place();
        place.grow(request.encoded_len()).await?;
        let key = IdempotencyKey::parse(&request.idempotency_key, KEY_FIELD)?;
        let answer = add_message::add(&self.0, &request.receipt, &request.text, &key, Vec::new()).await?;
        Ok(Response::new(answer))
    }
}

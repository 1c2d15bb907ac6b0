//! gRPC in, one file a verb.

mod gateways;
mod import_contacts;
mod list_notices;
mod list_replies;
mod mail_suppressions;
mod preview_notices;
mod rotate_webhook_keys;
mod test_contact;

use std::sync::Arc;

use tocsin_domain::role::Role;
use tocsin_platform::credentials::Credentials;
use tocsin_platform::failure::Failure;
use tocsin_proto::notification::v1::contact_service_server::ContactService;
use tocsin_proto::notification::v1::gateway_service_server::GatewayService;
use tocsin_proto::notification::v1::notice_service_server::NoticeService;
use tocsin_proto::notification::v1::reply_service_server::ReplyService;
use tocsin_proto::notification::v1::{
    ImportContactsRequest, ImportContactsResponse, ListGatewaysRequest, ListGatewaysResponse, ListNoticesRequest,
    ListNoticesResponse, ListRepliesRequest, ListRepliesResponse, PauseGatewayRequest, PauseGatewayResponse,
    PreviewNoticesRequest, PreviewNoticesResponse, ResumeGatewayRequest, ResumeGatewayResponse,
    RotateWebhookKeysRequest, RotateWebhookKeysResponse, TestContactRequest, TestContactResponse,
};
use tonic::{Request, Response, Status};

use crate::office::Office;

/// All gRPC services.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) office: Arc<Office>,
    pub(crate) credentials: Credentials,
}

#[tonic::async_trait]
impl ContactService for Api {
    async fn import_contacts(
        &self,
        request: Request<ImportContactsRequest>,
    ) -> Result<Response<ImportContactsResponse>, Status> {
        self.credentials.require(request.metadata(), &[Role::Administrator]).await?;
        let imported = import_contacts::import_contacts(&self.office, request.into_inner()).await?;
        Ok(Response::new(imported))
    }

    async fn rotate_webhook_keys(
        &self,
        request: Request<RotateWebhookKeysRequest>,
    ) -> Result<Response<RotateWebhookKeysResponse>, Status> {
        self.credentials.require(request.metadata(), &[Role::Administrator]).await?;
        let rotated = rotate_webhook_keys::rotate_webhook_keys(&self.office, request.into_inner()).await?;
        Ok(Response::new(rotated))
    }

    async fn test_contact(
        &self,
        request: Request<TestContactRequest>,
    ) -> Result<Response<TestContactResponse>, Status> {
        self.credentials.require(request.metadata(), &[Role::Administrator, Role::Operator]).await?;
        let tested = test_contact::test_contact(&self.office, request.into_inner()).await?;
        Ok(Response::new(tested))
    }
}

fn unknown_contact() -> Failure {
    Failure::not_found("UNKNOWN_CONTACT", "there is no contact of this id; `tocsin org import` creates contacts")
}

fn no_webhook() -> Failure {
    Failure::refused("NO_WEBHOOK", "this contact has no webhook; import it with one first")
}

#[tonic::async_trait]
impl NoticeService for Api {
    async fn preview_notices(
        &self,
        request: Request<PreviewNoticesRequest>,
    ) -> Result<Response<PreviewNoticesResponse>, Status> {
        self.credentials.require(request.metadata(), &[Role::Coordinator, Role::Approver]).await?;
        let previewed = preview_notices::preview_notices(&self.office, request.into_inner()).await?;
        Ok(Response::new(previewed))
    }

    async fn list_notices(
        &self,
        request: Request<ListNoticesRequest>,
    ) -> Result<Response<ListNoticesResponse>, Status> {
        let caller = self.credentials.require(request.metadata(), &[Role::Operator, Role::Coordinator]).await?;
        let names = caller.has_any(&[Role::Coordinator]);
        let listed = list_notices::list_notices(&self.office, request.into_inner(), names).await?;
        Ok(Response::new(listed))
    }
}

#[tonic::async_trait]
impl GatewayService for Api {
    async fn list_gateways(
        &self,
        request: Request<ListGatewaysRequest>,
    ) -> Result<Response<ListGatewaysResponse>, Status> {
        self.credentials.require(request.metadata(), &[Role::Operator, Role::Administrator]).await?;
        Ok(Response::new(gateways::list(&self.office).await?))
    }

    async fn pause_gateway(
        &self,
        request: Request<PauseGatewayRequest>,
    ) -> Result<Response<PauseGatewayResponse>, Status> {
        self.credentials.require(request.metadata(), &[Role::Operator, Role::Administrator]).await?;
        let gateway = gateways::set(&self.office, &request.into_inner().name, true).await?;
        Ok(Response::new(PauseGatewayResponse { gateway: Some(gateway) }))
    }

    async fn resume_gateway(
        &self,
        request: Request<ResumeGatewayRequest>,
    ) -> Result<Response<ResumeGatewayResponse>, Status> {
        self.credentials.require(request.metadata(), &[Role::Operator, Role::Administrator]).await?;
        let gateway = gateways::set(&self.office, &request.into_inner().name, false).await?;
        Ok(Response::new(ResumeGatewayResponse { gateway: Some(gateway) }))
    }
}

#[tonic::async_trait]
impl ReplyService for Api {
    async fn list_replies(
        &self,
        request: Request<ListRepliesRequest>,
    ) -> Result<Response<ListRepliesResponse>, Status> {
        self.credentials.require(request.metadata(), &[Role::Coordinator, Role::DutyOfficer]).await?;
        Ok(Response::new(list_replies::list_replies(&self.office, request.into_inner()).await?))
    }
}

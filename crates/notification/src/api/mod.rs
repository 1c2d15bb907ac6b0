//! gRPC in, one file a verb.

mod import_contacts;
mod list_notices;
mod mail_suppressions;
mod preview_notices;

use std::sync::Arc;

use tocsin_domain::role::Role;
use tocsin_platform::credentials::Credentials;
use tocsin_proto::notification::v1::contact_service_server::ContactService;
use tocsin_proto::notification::v1::notice_service_server::NoticeService;
use tocsin_proto::notification::v1::{
    ImportContactsRequest, ImportContactsResponse, ListNoticesRequest, ListNoticesResponse, PreviewNoticesRequest,
    PreviewNoticesResponse,
};
use tonic::{Request, Response, Status};

use crate::office::Office;

/// Both gRPC services.
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

//! Who may ask for which verb; what the verbs do stands in their own files.

use tocsin_domain::role::{Action, Role};
use tocsin_platform::credentials::Principal;
use tocsin_platform::failure::Failure;
use tocsin_proto::notification::v1 as wire;
use tocsin_proto::notification::v1::contact_service_server::ContactService;
use tocsin_proto::notification::v1::gateway_service_server::GatewayService;
use tocsin_proto::notification::v1::notice_service_server::NoticeService;
use tocsin_proto::notification::v1::reply_service_server::ReplyService;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::Api;
use super::list_contacts::Addresses;
use super::{
    contact_codes, gateways, get_notice, get_notice_progress, import_contacts, list_changes, list_contacts,
    list_degraded_destinations, list_notices, list_replies, preview_notices, redrive_notices, rotate_webhook_keys,
    test_contact, withdraw_notices,
};

/// Whoever looks after notices.
const LOOK_AFTER_NOTICES: [Role; 3] = [Role::Operator, Role::Coordinator, Role::DutyOfficer];
/// Those among them who may see who is written to.
const KNOW_RECIPIENTS: [Role; 2] = [Role::Coordinator, Role::DutyOfficer];
/// Whoever keeps gateways running.
const KEEP_GATEWAYS: [Role; 2] = [Role::Operator, Role::Administrator];
/// Whoever may see which destinations fail.
const SEE_DEGRADED: [Role; 4] = [Role::Operator, Role::Administrator, Role::Coordinator, Role::DutyOfficer];
/// Whoever tries whether a contact can be reached.
const TRY_CONTACTS: [Role; 2] = [Role::Administrator, Role::Operator];
/// Whoever may see contacts, masked.
const SEE_CONTACTS: [Role; 2] = [Role::Administrator, Role::Coordinator];

impl Api {
    /// Somebody who may see contacts; their addresses in full only where contacts are imported.
    async fn sees_contacts(&self, metadata: &MetadataMap, in_full: bool) -> Result<Principal, Failure> {
        let caller = self.credentials.require(metadata, &SEE_CONTACTS).await?;
        if in_full && !caller.may(Action::ImportOrganisations) {
            let says = "only administrators, who import contacts, see addresses in full";
            return Err(Failure::forbidden("ADDRESSES_HIDDEN", says));
        }
        Ok(caller)
    }
}

fn addresses(caller: &Principal, in_full: bool) -> Addresses<'_> {
    if in_full { Addresses::InFull { actor: caller.actor.as_str() } } else { Addresses::Masked }
}

#[tonic::async_trait]
impl ContactService for Api {
    async fn import_contacts(
        &self,
        request: Request<wire::ImportContactsRequest>,
    ) -> Result<Response<wire::ImportContactsResponse>, Status> {
        let caller = self.credentials.require(request.metadata(), &[Role::Administrator]).await?;
        let actor = caller.actor.as_str();
        Ok(Response::new(import_contacts::import_contacts(&self.office, request.into_inner(), actor).await?))
    }

    async fn rotate_webhook_keys(
        &self,
        request: Request<wire::RotateWebhookKeysRequest>,
    ) -> Result<Response<wire::RotateWebhookKeysResponse>, Status> {
        let caller = self.credentials.require(request.metadata(), &[Role::Administrator]).await?;
        let actor = caller.actor.as_str();
        Ok(Response::new(rotate_webhook_keys::rotate_webhook_keys(&self.office, request.into_inner(), actor).await?))
    }

    async fn test_contact(
        &self,
        request: Request<wire::TestContactRequest>,
    ) -> Result<Response<wire::TestContactResponse>, Status> {
        let caller = self.credentials.require(request.metadata(), &TRY_CONTACTS).await?;
        let actor = caller.actor.as_str();
        Ok(Response::new(test_contact::test_contact(&self.office, request.into_inner(), actor).await?))
    }

    async fn list_contacts(
        &self,
        request: Request<wire::ListContactsRequest>,
    ) -> Result<Response<wire::ListContactsResponse>, Status> {
        let in_full = request.get_ref().show_addresses;
        let caller = self.sees_contacts(request.metadata(), in_full).await?;
        let how = addresses(&caller, in_full);
        Ok(Response::new(list_contacts::list_contacts(&self.office, request.into_inner(), how).await?))
    }

    async fn get_contact(
        &self,
        request: Request<wire::GetContactRequest>,
    ) -> Result<Response<wire::GetContactResponse>, Status> {
        let in_full = request.get_ref().show_addresses;
        let caller = self.sees_contacts(request.metadata(), in_full).await?;
        let how = addresses(&caller, in_full);
        Ok(Response::new(list_contacts::get_contact(&self.office, &request.into_inner().contact_id, how).await?))
    }

    async fn send_contact_code(
        &self,
        request: Request<wire::SendContactCodeRequest>,
    ) -> Result<Response<wire::SendContactCodeResponse>, Status> {
        self.credentials.require(request.metadata(), &TRY_CONTACTS).await?;
        Ok(Response::new(contact_codes::send(&self.office, request.into_inner()).await?))
    }

    async fn confirm_contact_code(
        &self,
        request: Request<wire::ConfirmContactCodeRequest>,
    ) -> Result<Response<wire::ConfirmContactCodeResponse>, Status> {
        let caller = self.credentials.require(request.metadata(), &TRY_CONTACTS).await?;
        let actor = caller.actor.as_str();
        Ok(Response::new(contact_codes::confirm(&self.office, request.into_inner(), actor).await?))
    }
}

#[tonic::async_trait]
impl NoticeService for Api {
    async fn preview_notices(
        &self,
        request: Request<wire::PreviewNoticesRequest>,
    ) -> Result<Response<wire::PreviewNoticesResponse>, Status> {
        self.credentials.require(request.metadata(), &[Role::Coordinator, Role::Approver]).await?;
        Ok(Response::new(preview_notices::preview_notices(&self.office, request.into_inner()).await?))
    }

    async fn list_notices(
        &self,
        request: Request<wire::ListNoticesRequest>,
    ) -> Result<Response<wire::ListNoticesResponse>, Status> {
        let caller = self.credentials.require(request.metadata(), &LOOK_AFTER_NOTICES).await?;
        let names = caller.has_any(&KNOW_RECIPIENTS);
        Ok(Response::new(list_notices::list_notices(&self.office, request.into_inner(), names).await?))
    }

    async fn get_notice(
        &self,
        request: Request<wire::GetNoticeRequest>,
    ) -> Result<Response<wire::GetNoticeResponse>, Status> {
        let caller = self.credentials.require(request.metadata(), &LOOK_AFTER_NOTICES).await?;
        let names = caller.has_any(&KNOW_RECIPIENTS);
        Ok(Response::new(get_notice::get_notice(&self.office, &request.into_inner().notice_id, names).await?))
    }

    async fn get_notice_progress(
        &self,
        request: Request<wire::GetNoticeProgressRequest>,
    ) -> Result<Response<wire::GetNoticeProgressResponse>, Status> {
        self.credentials.require(request.metadata(), &LOOK_AFTER_NOTICES).await?;
        let alert = request.into_inner().alert_id;
        Ok(Response::new(get_notice_progress::get_notice_progress(&self.office, &alert).await?))
    }

    async fn redrive_notices(
        &self,
        request: Request<wire::RedriveNoticesRequest>,
    ) -> Result<Response<wire::RedriveNoticesResponse>, Status> {
        let caller = self.credentials.require_action(request.metadata(), Action::Redrive).await?;
        let actor = caller.actor.as_str();
        Ok(Response::new(redrive_notices::redrive_notices(&self.office, request.into_inner(), actor).await?))
    }

    async fn withdraw_notices(
        &self,
        request: Request<wire::WithdrawNoticesRequest>,
    ) -> Result<Response<wire::WithdrawNoticesResponse>, Status> {
        let caller = self.credentials.require_action(request.metadata(), Action::StopCase).await?;
        let actor = caller.actor.as_str();
        Ok(Response::new(withdraw_notices::withdraw_notices(&self.office, request.into_inner(), actor).await?))
    }

    async fn list_changes(
        &self,
        request: Request<wire::ListChangesRequest>,
    ) -> Result<Response<wire::ListChangesResponse>, Status> {
        let roles = [Role::Auditor, Role::Operator, Role::Coordinator, Role::Administrator];
        let caller = self.credentials.require(request.metadata(), &roles).await?;
        let names = caller.has_any(&[Role::Auditor, Role::Coordinator, Role::Administrator]);
        Ok(Response::new(list_changes::list_changes(&self.office, &request.into_inner(), names).await?))
    }
}

#[tonic::async_trait]
impl GatewayService for Api {
    async fn list_gateways(
        &self,
        request: Request<wire::ListGatewaysRequest>,
    ) -> Result<Response<wire::ListGatewaysResponse>, Status> {
        self.credentials.require(request.metadata(), &KEEP_GATEWAYS).await?;
        Ok(Response::new(gateways::list(&self.office).await?))
    }

    async fn pause_gateway(
        &self,
        request: Request<wire::PauseGatewayRequest>,
    ) -> Result<Response<wire::PauseGatewayResponse>, Status> {
        let caller = self.credentials.require(request.metadata(), &KEEP_GATEWAYS).await?;
        let asked = request.into_inner();
        let actor = caller.actor.as_str();
        let gateway = gateways::set(&self.office, &asked.name, &asked.reason, true, actor).await?;
        Ok(Response::new(wire::PauseGatewayResponse { gateway: Some(gateway) }))
    }

    async fn resume_gateway(
        &self,
        request: Request<wire::ResumeGatewayRequest>,
    ) -> Result<Response<wire::ResumeGatewayResponse>, Status> {
        let caller = self.credentials.require(request.metadata(), &KEEP_GATEWAYS).await?;
        let asked = request.into_inner();
        let actor = caller.actor.as_str();
        let gateway = gateways::set(&self.office, &asked.name, &asked.reason, false, actor).await?;
        Ok(Response::new(wire::ResumeGatewayResponse { gateway: Some(gateway) }))
    }

    async fn test_gateway(
        &self,
        request: Request<wire::TestGatewayRequest>,
    ) -> Result<Response<wire::TestGatewayResponse>, Status> {
        let caller = self.credentials.require(request.metadata(), &KEEP_GATEWAYS).await?;
        let actor = caller.actor.as_str();
        Ok(Response::new(gateways::test(&self.office, request.into_inner(), actor).await?))
    }

    async fn list_degraded_destinations(
        &self,
        request: Request<wire::ListDegradedDestinationsRequest>,
    ) -> Result<Response<wire::ListDegradedDestinationsResponse>, Status> {
        let caller = self.credentials.require(request.metadata(), &SEE_DEGRADED).await?;
        let names = caller.has_any(&KNOW_RECIPIENTS);
        let answer = list_degraded_destinations::list_degraded_destinations(&self.office, request.get_ref(), names)?;
        Ok(Response::new(answer))
    }
}

#[tonic::async_trait]
impl ReplyService for Api {
    async fn list_replies(
        &self,
        request: Request<wire::ListRepliesRequest>,
    ) -> Result<Response<wire::ListRepliesResponse>, Status> {
        self.credentials.require(request.metadata(), &[Role::Coordinator, Role::DutyOfficer]).await?;
        Ok(Response::new(list_replies::list_replies(&self.office, request.into_inner()).await?))
    }
}

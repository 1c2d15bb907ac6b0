//! gRPC in, one file a verb. Each does the same four steps: decode, load, decide, commit.

mod acknowledge_case;
mod answer_reporter;
mod approve_alert;
mod assess_case;
mod draft_alert;
mod get_case;
mod issue_key;
mod keys;
mod list_cases;
mod preview_release;
mod record_consent;
mod record_source;
mod reject_alert;
mod release_alert;
mod stop_case;
mod submit_for_approval;
mod summary;

use tocsin_domain::role::{Action, Role, may};
use tocsin_proto::triage::v1 as wire;
use tocsin_proto::triage::v1::case_service_server::CaseService;
use tocsin_proto::triage::v1::key_service_server::KeyService;
use tonic::{Request, Response, Status};

use crate::desk::Desk;

/// Who may see that a case exists and what was done with it. What was typed is for those who may also read cases.
fn onlookers() -> Vec<Role> {
    let sees = |role: Role| may(role, Action::ListCases) || may(role, Action::ReadAuditTrail);
    Role::ALL.iter().copied().filter(|role| sees(*role)).collect()
}

/// The door for cases.
pub(crate) struct CaseDoor {
    desk: Desk,
}

impl CaseDoor {
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

/// The door for keys.
pub(crate) struct KeyDoor {
    desk: Desk,
}

impl KeyDoor {
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl CaseService for CaseDoor {
    async fn list_cases(
        &self,
        request: Request<wire::ListCasesRequest>,
    ) -> Result<Response<wire::ListCasesResponse>, Status> {
        Ok(Response::new(list_cases::list_cases(&self.desk, request).await?))
    }

    async fn get_case(
        &self,
        request: Request<wire::GetCaseRequest>,
    ) -> Result<Response<wire::GetCaseResponse>, Status> {
        Ok(Response::new(get_case::get_case(&self.desk, request).await?))
    }

    async fn acknowledge_case(
        &self,
        request: Request<wire::AcknowledgeCaseRequest>,
    ) -> Result<Response<wire::AcknowledgeCaseResponse>, Status> {
        Ok(Response::new(acknowledge_case::acknowledge_case(&self.desk, request).await?))
    }

    async fn answer_reporter(
        &self,
        request: Request<wire::AnswerReporterRequest>,
    ) -> Result<Response<wire::AnswerReporterResponse>, Status> {
        Ok(Response::new(answer_reporter::answer_reporter(&self.desk, request).await?))
    }

    async fn record_source(
        &self,
        request: Request<wire::RecordSourceRequest>,
    ) -> Result<Response<wire::RecordSourceResponse>, Status> {
        Ok(Response::new(record_source::record_source(&self.desk, request).await?))
    }

    async fn assess_case(
        &self,
        request: Request<wire::AssessCaseRequest>,
    ) -> Result<Response<wire::AssessCaseResponse>, Status> {
        Ok(Response::new(assess_case::assess_case(&self.desk, request).await?))
    }

    async fn record_consent(
        &self,
        request: Request<wire::RecordConsentRequest>,
    ) -> Result<Response<wire::RecordConsentResponse>, Status> {
        Ok(Response::new(record_consent::record_consent(&self.desk, request).await?))
    }

    async fn draft_alert(
        &self,
        request: Request<wire::DraftAlertRequest>,
    ) -> Result<Response<wire::DraftAlertResponse>, Status> {
        Ok(Response::new(draft_alert::draft_alert(&self.desk, request).await?))
    }

    async fn submit_for_approval(
        &self,
        request: Request<wire::SubmitForApprovalRequest>,
    ) -> Result<Response<wire::SubmitForApprovalResponse>, Status> {
        Ok(Response::new(submit_for_approval::submit_for_approval(&self.desk, request).await?))
    }

    async fn approve_alert(
        &self,
        request: Request<wire::ApproveAlertRequest>,
    ) -> Result<Response<wire::ApproveAlertResponse>, Status> {
        Ok(Response::new(approve_alert::approve_alert(&self.desk, request).await?))
    }

    async fn reject_alert(
        &self,
        request: Request<wire::RejectAlertRequest>,
    ) -> Result<Response<wire::RejectAlertResponse>, Status> {
        Ok(Response::new(reject_alert::reject_alert(&self.desk, request).await?))
    }

    async fn preview_release(
        &self,
        request: Request<wire::PreviewReleaseRequest>,
    ) -> Result<Response<wire::PreviewReleaseResponse>, Status> {
        Ok(Response::new(preview_release::preview_release(&self.desk, request).await?))
    }

    async fn release_alert(
        &self,
        request: Request<wire::ReleaseAlertRequest>,
    ) -> Result<Response<wire::ReleaseAlertResponse>, Status> {
        Ok(Response::new(release_alert::release_alert(&self.desk, request).await?))
    }

    async fn stop_case(
        &self,
        request: Request<wire::StopCaseRequest>,
    ) -> Result<Response<wire::StopCaseResponse>, Status> {
        Ok(Response::new(stop_case::stop_case(&self.desk, request).await?))
    }
}

#[tonic::async_trait]
impl KeyService for KeyDoor {
    async fn issue_key(
        &self,
        request: Request<wire::IssueKeyRequest>,
    ) -> Result<Response<wire::IssueKeyResponse>, Status> {
        Ok(Response::new(issue_key::issue_key(&self.desk, request).await?))
    }

    async fn revoke_key(
        &self,
        request: Request<wire::RevokeKeyRequest>,
    ) -> Result<Response<wire::RevokeKeyResponse>, Status> {
        Ok(Response::new(keys::revoke_key(&self.desk, request).await?))
    }

    async fn list_keys(
        &self,
        request: Request<wire::ListKeysRequest>,
    ) -> Result<Response<wire::ListKeysResponse>, Status> {
        Ok(Response::new(keys::list_keys(&self.desk, request).await?))
    }
}

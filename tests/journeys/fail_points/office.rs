//! One case from the report to the release, to what its recipients answer and to its end, each step by whose it is.

use tocsin_proto::dispatch::v1::RespondToAlertRequest;
use tocsin_proto::intake::v1::AddMessageRequest;
use tocsin_proto::triage::v1::{
    AcknowledgeCaseRequest, AnswerReporterRequest, ApproveAlertRequest, AssessCaseRequest, DraftAlertRequest,
    GetCaseRequest, GetCaseResponse, PreviewReleaseRequest, RecordConsentRequest, RecordSourceRequest,
    RejectAlertRequest, ReleaseAlertRequest, StopCaseRequest, SubmitForApprovalRequest,
};
use tocsin_tests::Outcome;
use tocsin_tests::clients::bearing;
use tocsin_tests::process::wait_until;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::{Accepted, coverage_when, is_settled};
use tonic::Code;

use super::clients::{Answer, PATIENCE, People, ask, ask_again};
use super::ledger::Released;

impl People<'_> {
    /// A report, and the wait until it is a case; returns both.
    pub(super) async fn open_case(&self) -> Outcome<(Accepted, String)> {
        let accepted = self.report().await?;
        let case = self.case_of(&accepted.report_id).await?;
        Ok((accepted, case))
    }

    /// Waits until a report is a case.
    pub(super) async fn case_of(&self, report: &str) -> Outcome<String> {
        wait_until("the report becomes a case", PATIENCE, async || {
            let request = bearing(&self.cast.coordinator, GetCaseRequest { case: report.to_owned() })?;
            match self.clients.cases.clone().get_case(request).await {
                Ok(found) => Ok(found.into_inner().summary.map(|summary| summary.case_id)),
                Err(status) if status.code() == Code::NotFound => Ok(None),
                Err(status) => Err(status.into()),
            }
        })
        .await
    }

    /// Everything that triage knows of a case.
    pub(super) async fn look(&self, case: &str) -> Outcome<GetCaseResponse> {
        let request = GetCaseRequest { case: case.to_owned() };
        let call = async |request| self.clients.cases.clone().get_case(request).await;
        ask_again("looking at a case", &self.cast.coordinator, request, call).await
    }

    /// Acknowledges, talks with the reporter, records sources, assesses and records consents.
    async fn prepare(&self, report: &Accepted, case: &str) -> Outcome<()> {
        let cases = &self.clients.cases;
        let coordinator = &self.cast.coordinator;
        let request = AcknowledgeCaseRequest { case: case.to_owned() };
        let call = async |request| cases.clone().acknowledge_case(request).await;
        ask_again("acknowledging", coordinator, request, call).await?;
        self.add_message(report).await?;
        self.answer(report, case).await?;
        for (source, _) in self.scenario.sources() {
            let request = RecordSourceRequest { case: case.to_owned(), source: Some(source) };
            let call = async |request| cases.clone().record_source(request).await;
            ask_again("recording a source", &self.cast.verifier, request, call).await?;
        }
        let request = AssessCaseRequest {
            case: case.to_owned(),
            factors: Some(self.scenario.factors()),
            overrides: self.scenario.overrides(),
            claim: self.scenario.claim(),
            ..AssessCaseRequest::default()
        };
        let call = async |request| cases.clone().assess_case(request).await;
        ask_again("assessing", coordinator, request, call).await?;
        for consent in self.scenario.consents() {
            let request = RecordConsentRequest { case: case.to_owned(), consent: Some(consent) };
            let call = async |request| cases.clone().record_consent(request).await;
            ask_again("recording a consent", coordinator, request, call).await?;
        }
        Ok(())
    }

    /// The reporter adds something.
    pub(super) async fn add_message(&self, report: &Accepted) -> Outcome<()> {
        let text = format!("They came back, says {}.", uuid::Uuid::now_v7());
        let request = AddMessageRequest {
            receipt: report.receipt.clone(),
            text: text.clone(),
            idempotency_key: uuid::Uuid::now_v7().to_string(),
        };
        let call = async |request| self.clients.intake.clone().add_message(request).await;
        ask_again("adding a message", "", request, call).await?;
        self.ledger.borrow_mut().messages.push((report.report_id.clone(), text));
        Ok(())
    }

    /// The reporter is answered.
    async fn answer(&self, report: &Accepted, case: &str) -> Outcome<()> {
        let text = format!("A lawyer calls you tonight, says {}.", uuid::Uuid::now_v7());
        let request = AnswerReporterRequest { case: case.to_owned(), text: text.clone(), question: false };
        let call = async |request| self.clients.cases.clone().answer_reporter(request).await;
        ask_again("answering the reporter", &self.cast.coordinator, request, call).await?;
        self.ledger.borrow_mut().answers.push((report.report_id.clone(), text));
        Ok(())
    }

    /// Drafts and submits; returns the version that waits for approval.
    async fn draft(&self, case: &str) -> Outcome<u32> {
        let cases = &self.clients.cases;
        let request = DraftAlertRequest { case: case.to_owned(), draft: Some(self.scenario.draft()) };
        let call = async |request| cases.clone().draft_alert(request).await;
        let drafted = ask_again("drafting", &self.cast.coordinator, request, call).await?;
        let version = drafted.draft.unwrap_or_default().version;
        let request = SubmitForApprovalRequest { case: case.to_owned() };
        let call = async |request| cases.clone().submit_for_approval(request).await;
        if let Answer::Refused(status) = ask("submitting", &self.cast.coordinator, request, call).await? {
            let state = self.look(case).await?.draft.unwrap_or_default().state;
            ensure_equal(state.as_str(), "approval_pending", &format!("the draft after {status}"))?;
        }
        Ok(version)
    }

    /// A first draft that is rejected, a second that two people approve, and a look at what it would do.
    async fn approve(&self, case: &str) -> Outcome<()> {
        let cases = &self.clients.cases;
        let draft_version = self.draft(case).await?;
        let reason = "The second paragraph names a place.".to_owned();
        let request = RejectAlertRequest { case: case.to_owned(), draft_version, reason };
        let call = async |request| cases.clone().reject_alert(request).await;
        if let Answer::Refused(status) = ask("rejecting", &self.cast.approvers[0], request, call).await? {
            let approvals = self.look(case).await?.approvals;
            let rejected = approvals.iter().filter(|one| one.decision == "reject" || one.decision == "rejected");
            ensure_equal(rejected.count(), 1, &format!("rejections after {status}: {approvals:?}"))?;
        }
        let draft_version = self.draft(case).await?;
        for approver in &self.cast.approvers {
            let request = ApproveAlertRequest { case: case.to_owned(), draft_version };
            let call = async |request| cases.clone().approve_alert(request).await;
            ask_again("approving", approver, request, call).await?;
        }
        let request = PreviewReleaseRequest { case: case.to_owned() };
        let call = async |request| cases.clone().preview_release(request).await;
        let preview = ask_again("previewing", &self.cast.coordinator, request, call).await?;
        ensure(preview.refusals.is_empty(), || format!("the preview refuses: {:?}", preview.refusals))
    }

    /// Asks the gate until the alert is out; out it goes once.
    async fn ask_gate(&self, case: &str) -> Outcome<Released> {
        let request = ReleaseAlertRequest { case: case.to_owned(), drill: false };
        let call = async |request| self.clients.cases.clone().release_alert(request).await;
        let told = ask("releasing", &self.cast.coordinator, request, call).await?;
        let alerts = self.look(case).await?.alerts;
        ensure_equal(alerts.len(), 1, &format!("alerts of one approved draft after {told:?}"))?;
        let alert = &alerts[0];
        Ok(Released { alert_id: alert.alert_id.clone(), short_code: alert.short_code.clone(), case: case.to_owned() })
    }

    /// The whole way to a release that has reached everybody.
    pub(super) async fn release(&self) -> Outcome<Released> {
        let (report, case) = self.open_case().await?;
        self.prepare(&report, &case).await?;
        self.approve(&case).await?;
        let released = self.ask_gate(&case).await?;
        self.ledger.borrow_mut().released.push(released.clone());
        self.settled(&released).await?;
        Ok(released)
    }

    /// Waits until everybody has been reached.
    pub(super) async fn settled(&self, released: &Released) -> Outcome<()> {
        let (clients, coordinator) = (&self.clients, &self.cast.coordinator);
        let what = "the fan-out settles";
        let coverage = coverage_when(clients, coordinator, &released.alert_id, what, PATIENCE, is_settled).await?;
        let arrived = |state: &str| matches!(state, "accepted" | "delivered" | "acknowledged");
        ensure(coverage.notices.iter().all(|notice| arrived(&notice.state)), || {
            format!("notices ended otherwise than delivered: {:?}", coverage.by_state)
        })
    }

    /// A release that is acknowledged and then stopped.
    pub(super) async fn whole_road(&self) -> Outcome<()> {
        let released = self.release().await?;
        let request = RespondToAlertRequest { alert: released.short_code.clone(), response: "acknowledged".to_owned() };
        let call = async |request| self.clients.alerts.clone().respond_to_alert(request).await;
        let told = ask_again("responding", &self.delegate, request, call).await?;
        self.ledger.borrow_mut().acknowledged.push((released.alert_id.clone(), told.organisation_id));
        let request = StopCaseRequest { case: released.case.clone(), reason: "they are free".to_owned() };
        let call = async |request| self.clients.cases.clone().stop_case(request).await;
        ask_again("stopping", &self.cast.coordinator, request, call).await?;
        self.ledger.borrow_mut().stopped.push(released.case);
        Ok(())
    }
}

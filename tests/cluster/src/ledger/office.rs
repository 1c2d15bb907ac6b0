//! The people of triage at work while processes come and go: each looks at how far the case is and does the next step,
//! so that a step whose answer was cut off is neither lost nor done twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tocsin_proto::triage::v1::{
    AcknowledgeCaseRequest, ApproveAlertRequest, AssessCaseRequest, DraftAlertRequest, GetCaseRequest, GetCaseResponse,
    RecordConsentRequest, RecordSourceRequest, ReleaseAlertRequest, SubmitForApprovalRequest,
};
use tocsin_tests::cast::Cast;
use tocsin_tests::clients::{Clients, bearing};
use tocsin_tests::scenario::Scenario;
use tocsin_tests::{Outcome, Trouble};
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use super::Released;
use super::houses::{Attempt, Houses};
use super::reporters::{Stop, submit};

/// How long one case may take, faults included.
const PATIENCE: Duration = Duration::from_mins(4);
/// The pause before a case is looked at again that is not there yet.
const PAUSE: Duration = Duration::from_millis(50);

/// One office: its people's keys and what they work on.
#[derive(Debug, Clone)]
pub struct Office {
    /// Clients of both processes.
    pub houses: Houses,
    /// Everybody's key.
    pub cast: Arc<Cast>,
    /// The case, from the report to the text of the alert.
    pub scenario: Arc<Scenario>,
}

impl Office {
    /// Starts to take one case after another from the report to the release, with a pause between two.
    pub fn start(&self, pause: Duration, stop: Stop) -> JoinHandle<Outcome<()>> {
        let office = self.clone();
        tokio::spawn(async move {
            while !stop.no_more_work() {
                office.release_one().await?;
                tokio::time::sleep(pause).await;
            }
            Ok(())
        })
    }

    /// Takes one case from the report to the release.
    pub async fn release_one(&self) -> Outcome<()> {
        let key = format!("office-{}", uuid::Uuid::now_v7().simple());
        let accepted = submit(&self.houses, self.scenario.report(), key).await?;
        self.houses.ledger.with(|promises| promises.worked_on.insert(accepted.report_id.clone()));
        let (started, mut refusals) = (Instant::now(), Vec::new());
        while started.elapsed() < PATIENCE {
            match self.step(&accepted.report_id).await? {
                Attempt::Done(true) => return Ok(()),
                Attempt::Done(false) | Attempt::Away => {}
                // The case is on its way from intake.
                Attempt::Refused(status) if status.code() == Code::NotFound => tokio::time::sleep(PAUSE).await,
                // The step was done although its answer was cut off: the next look shows it.
                Attempt::Refused(status) if status.code() == Code::FailedPrecondition => {
                    refusals.push(status.message().to_owned());
                    tokio::time::sleep(PAUSE).await;
                }
                Attempt::Refused(status) => {
                    self.houses.ledger.surprise(format!("the office: {:?}: {}", status.code(), status.message()));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Err(Trouble::new(format!("a case did not come to its release within {PATIENCE:?}: {refusals:?}")))
    }

    /// Does the next step of a case; true once its alert is released and noted.
    async fn step(&self, case: &str) -> Outcome<Attempt<bool>> {
        let looked = self
            .houses
            .attempt(|clients| async move {
                let request = bearing(&self.cast.coordinator, GetCaseRequest { case: case.to_owned() })?;
                Ok(clients.cases.clone().get_case(request).await)
            })
            .await?;
        let found = match looked {
            Attempt::Done(found) => found,
            Attempt::Away => return Ok(Attempt::Away),
            Attempt::Refused(status) => return Ok(Attempt::Refused(status)),
        };
        if let Some(alert) = found.alerts.first() {
            let released =
                Released { case_id: case.to_owned(), short_code: alert.short_code.clone(), at: Instant::now() };
            self.houses.ledger.with(|promises| promises.released.insert(alert.alert_id.clone(), released));
            return Ok(Attempt::Done(true));
        }
        self.houses.attempt(|clients| self.next(clients, case, &found)).await
    }

    /// The first thing that is missing.
    async fn next(
        &self,
        clients: Clients,
        case: &str,
        found: &GetCaseResponse,
    ) -> Outcome<Result<tonic::Response<bool>, Status>> {
        let summary = found.summary.clone().unwrap_or_default();
        if summary.acknowledged_at.is_none() {
            let request = AcknowledgeCaseRequest { case: case.to_owned() };
            let request = bearing(&self.cast.coordinator, request)?;
            return Ok(clients.cases.clone().acknowledge_case(request).await.map(done));
        }
        if let Some((mut source, relays)) = self.scenario.sources().into_iter().nth(found.sources.len()) {
            let relayed = relays.and_then(|index| found.sources.get(index));
            source.relays_source_id = relayed.map(|source| source.source_id.clone()).unwrap_or_default();
            let request = RecordSourceRequest { case: case.to_owned(), source: Some(source) };
            return Ok(clients.cases.clone().record_source(bearing(&self.cast.verifier, request)?).await.map(done));
        }
        if !summary.assessed {
            let request = AssessCaseRequest {
                case: case.to_owned(),
                factors: Some(self.scenario.factors()),
                overrides: self.scenario.overrides(),
                claim: self.scenario.claim(),
                ..AssessCaseRequest::default()
            };
            return Ok(clients.cases.clone().assess_case(bearing(&self.cast.coordinator, request)?).await.map(done));
        }
        if let Some(consent) = self.scenario.consents().into_iter().nth(found.consents.len()) {
            let request = RecordConsentRequest { case: case.to_owned(), consent: Some(consent) };
            return Ok(clients.cases.clone().record_consent(bearing(&self.cast.coordinator, request)?).await.map(done));
        }
        self.towards_release(clients, case, found).await
    }

    async fn towards_release(
        &self,
        clients: Clients,
        case: &str,
        found: &GetCaseResponse,
    ) -> Outcome<Result<tonic::Response<bool>, Status>> {
        let (case, coordinator) = (case.to_owned(), &self.cast.coordinator);
        let mut cases = clients.cases.clone();
        let Some(draft) = &found.draft else {
            let request = DraftAlertRequest { case, draft: Some(self.scenario.draft()) };
            return Ok(cases.draft_alert(bearing(coordinator, request)?).await.map(done));
        };
        if draft.state == "drafting" {
            let request = SubmitForApprovalRequest { case };
            return Ok(cases.submit_for_approval(bearing(coordinator, request)?).await.map(done));
        }
        let approved = |approver: &str| found.approvals.iter().any(|approval| approval.approver_id == approver);
        let approvers = ["staff-approver-1", "staff-approver-2"].into_iter().zip(&self.cast.approvers);
        if let Some((_, secret)) = approvers.into_iter().find(|(name, _)| !approved(name)) {
            let request = ApproveAlertRequest { case, draft_version: draft.version };
            return Ok(cases.approve_alert(bearing(secret, request)?).await.map(done));
        }
        let request = ReleaseAlertRequest { case, drill: false };
        let answer = cases.release_alert(bearing(coordinator, request)?).await;
        Ok(answer.and_then(|answer| {
            let answer = answer.into_inner();
            if answer.released {
                return Ok(tonic::Response::new(false));
            }
            Err(Status::internal(format!("the gate refused: {:?}", answer.refusals)))
        }))
    }
}

/// A step was done; the next look says whether it was the last.
fn done<T>(_: tonic::Response<T>) -> tonic::Response<bool> {
    tonic::Response::new(false)
}

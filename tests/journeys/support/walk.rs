//! The walk of one report from the reporter to the gate and on to the last notice, each step with the key of the
//! person whose step it is.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tocsin_proto::dispatch::v1::{GetCoverageRequest, GetCoverageResponse};
use tocsin_proto::triage::v1::{
    AcknowledgeCaseRequest, ApproveAlertRequest, AssessCaseRequest, AssessCaseResponse, CaseSummary, Draft,
    DraftAlertRequest, GetCaseRequest, GetCaseResponse, ListCasesRequest, ListCasesResponse, RecordConsentRequest,
    RecordSourceRequest, ReleaseAlertRequest, ReleaseAlertResponse, StopCaseRequest, SubmitForApprovalRequest,
};
use tonic::Code;

use crate::cast::Cast;
use crate::clients::{Clients, bearing};
use crate::installation::Doors;
use crate::process::wait_until;
use crate::scenario::Scenario;
use crate::trouble::ensure;
use crate::{Outcome, Trouble};

/// How long a fact may take from one service to the next on a busy machine.
pub const STEP_LIMIT: Duration = Duration::from_secs(30);

/// What intake answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Accepted {
    /// Names the report.
    pub report_id: String,
    /// Eight words.
    pub receipt: String,
}

/// Submits a report over the JSON door with a fresh idempotency key.
pub async fn submit(client: &reqwest::Client, doors: &Doors, report: &Value) -> Outcome<Accepted> {
    let answer = client
        .post(format!("http://{}/v1/reports", doors.intake.http))
        .header("idempotency-key", uuid::Uuid::now_v7().to_string())
        .json(report)
        .send()
        .await?;
    let status = answer.status();
    let body = answer.text().await?;
    ensure(status == reqwest::StatusCode::CREATED, || format!("intake answered {status}: {body}"))?;
    Ok(serde_json::from_str(&body)?)
}

/// The people of triage at work on one case.
#[derive(Debug, Clone)]
pub struct Office<'a> {
    clients: &'a Clients,
    cast: &'a Cast,
    /// The case's id.
    pub case: String,
}

impl<'a> Office<'a> {
    /// Waits until a report has become a case.
    pub async fn of(clients: &'a Clients, cast: &'a Cast, report_id: &str) -> Outcome<Self> {
        let summary = case_of(clients, &cast.coordinator, report_id).await?;
        Ok(Self { clients, cast, case: summary.case_id })
    }

    /// Everything that triage knows of the case.
    pub async fn look(&self) -> Outcome<GetCaseResponse> {
        let request = bearing(&self.cast.coordinator, GetCaseRequest { case: self.case.clone() })?;
        Ok(self.clients.cases.clone().get_case(request).await?.into_inner())
    }

    /// Acknowledges, records sources, assesses and records consents.
    pub async fn prepare(&self, scenario: &Scenario) -> Outcome<AssessCaseResponse> {
        let mut cases = self.clients.cases.clone();
        let request = AcknowledgeCaseRequest { case: self.case.clone() };
        cases.acknowledge_case(bearing(&self.cast.coordinator, request)?).await?;
        let mut recorded: Vec<String> = Vec::new();
        for (mut source, relays) in scenario.sources() {
            source.relays_source_id = relays.and_then(|index| recorded.get(index).cloned()).unwrap_or_default();
            let request = RecordSourceRequest { case: self.case.clone(), source: Some(source) };
            let answer = cases.record_source(bearing(&self.cast.verifier, request)?).await?.into_inner();
            recorded.push(answer.source.unwrap_or_default().source_id);
        }
        let request = AssessCaseRequest {
            case: self.case.clone(),
            factors: Some(scenario.factors()),
            overrides: scenario.overrides(),
            claim: scenario.claim(),
            ..AssessCaseRequest::default()
        };
        let assessed = cases.assess_case(bearing(&self.cast.coordinator, request)?).await?.into_inner();
        for consent in scenario.consents() {
            let request = RecordConsentRequest { case: self.case.clone(), consent: Some(consent) };
            cases.record_consent(bearing(&self.cast.coordinator, request)?).await?;
        }
        Ok(assessed)
    }

    /// Drafts, submits and approves twice.
    pub async fn draft_and_approve(&self, draft: Draft) -> Outcome<Draft> {
        let mut cases = self.clients.cases.clone();
        let request = DraftAlertRequest { case: self.case.clone(), draft: Some(draft) };
        let drafted = cases.draft_alert(bearing(&self.cast.coordinator, request)?).await?.into_inner();
        let draft = drafted.draft.unwrap_or_default();
        let request = SubmitForApprovalRequest { case: self.case.clone() };
        cases.submit_for_approval(bearing(&self.cast.coordinator, request)?).await?;
        for approver in &self.cast.approvers {
            let request = ApproveAlertRequest { case: self.case.clone(), draft_version: draft.version };
            cases.approve_alert(bearing(approver, request)?).await?;
        }
        Ok(draft)
    }

    /// Asks the gate; a refusal is an answer too.
    pub async fn ask_release(&self, drill: bool) -> Outcome<ReleaseAlertResponse> {
        let request = ReleaseAlertRequest { case: self.case.clone(), drill };
        Ok(self.clients.cases.clone().release_alert(bearing(&self.cast.coordinator, request)?).await?.into_inner())
    }

    /// Stops the action: whatever of its alerts still waits is withdrawn.
    pub async fn stop(&self, reason: &str) -> Outcome<()> {
        let request = StopCaseRequest { case: self.case.clone(), reason: reason.to_owned() };
        self.clients.cases.clone().stop_case(bearing(&self.cast.coordinator, request)?).await?;
        Ok(())
    }

    /// The whole way to a release that must not be refused.
    pub async fn release(&self, scenario: &Scenario) -> Outcome<ReleaseAlertResponse> {
        self.prepare(scenario).await?;
        self.draft_and_approve(scenario.draft()).await?;
        let released = self.ask_release(false).await?;
        ensure(released.released, || format!("the gate refused: {:?}", released.refusals))?;
        Ok(released)
    }
}

/// Waits until a report has become a case, and returns it.
pub async fn case_of(clients: &Clients, secret: &str, report_id: &str) -> Outcome<CaseSummary> {
    wait_until("the report becomes a case", STEP_LIMIT, async || {
        let request = bearing(secret, GetCaseRequest { case: report_id.to_owned() })?;
        match clients.cases.clone().get_case(request).await {
            Ok(found) => Ok(found.into_inner().summary),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status.into()),
        }
    })
    .await
}

/// All pages of the cases that triage lists.
pub async fn all_cases(clients: &Clients, secret: &str) -> Outcome<Vec<CaseSummary>> {
    pages_of_cases(async |request| Ok(clients.cases.clone().list_cases(bearing(secret, request)?).await?.into_inner()))
        .await
}

/// The same by somebody who asks in a way of his own.
pub async fn pages_of_cases(
    mut ask: impl AsyncFnMut(ListCasesRequest) -> Outcome<ListCasesResponse>,
) -> Outcome<Vec<CaseSummary>> {
    let (mut cases, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = ask(ListCasesRequest { page_size: 200, page_token, state: String::new() }).await?;
        cases.extend(page.cases);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(cases);
        }
    }
}

/// Waits until an alert's coverage satisfies `enough`, and returns it.
pub async fn coverage_when(
    clients: &Clients,
    secret: &str,
    alert: &str,
    what: &str,
    limit: Duration,
    enough: impl Fn(&GetCoverageResponse) -> bool,
) -> Outcome<GetCoverageResponse> {
    let mut last = String::new();
    let waited = wait_until(what, limit, async || {
        let request = bearing(secret, GetCoverageRequest { alert: alert.to_owned(), notices: true })?;
        match clients.alerts.clone().get_coverage(request).await {
            Ok(found) => {
                let coverage = found.into_inner();
                last = format!(
                    "{} contacts planned of {}, states {:?}",
                    coverage.contacts_planned, coverage.contacts, coverage.by_state
                );
                Ok(enough(&coverage).then_some(coverage))
            }
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status.into()),
        }
    })
    .await;
    waited.map_err(|trouble| Trouble::new(format!("{} ({last})", trouble.text())))
}

/// Whether every contact is planned and every notice has left the queue and the hands of workers.
pub fn is_settled(coverage: &GetCoverageResponse) -> bool {
    coverage.contacts_planned >= coverage.contacts
        && coverage.contacts > 0
        && coverage.notices.iter().all(|notice| !matches!(notice.state.as_str(), "queued" | "handed_to_gateway"))
}

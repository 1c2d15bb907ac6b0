//! One report walks from the reporter to the gate, each step with the key of the person whose step it is.

use std::time::{Duration, Instant};

use serde::Deserialize;
use tocsin_proto::triage::v1::{
    AcknowledgeCaseRequest, ApproveAlertRequest, AssessCaseRequest, Assessment, CaseSummary, Draft, DraftAlertRequest,
    ListCasesRequest, RecordConsentRequest, RecordSourceRequest, ReleaseAlertRequest, ReleaseAlertResponse,
    SubmitForApprovalRequest, case_service_client::CaseServiceClient,
};
use tonic::transport::Channel;

use super::DemoError;
use super::cast::{Cast, bearing};
use super::tell::Tell;
use crate::files::scenario::Scenario;

/// Where the walk ended: at the gate.
pub(super) struct Walked {
    pub(super) report_id: String,
    pub(super) receipt: String,
    pub(super) submit_to_receipt: Duration,
    pub(super) reference: String,
    pub(super) assessment: Assessment,
    pub(super) independent_sources: u32,
    pub(super) release_by: Option<String>,
    pub(super) release: ReleaseAlertResponse,
    /// When the release was sent.
    pub(super) released_at: Instant,
}

/// What intake answered.
#[derive(Deserialize)]
struct Accepted {
    report_id: String,
    receipt: String,
}

/// Why intake refused, as `application/problem+json` says it.
#[derive(Deserialize)]
struct Problem {
    detail: String,
    #[serde(default)]
    errors: Vec<ProblemField>,
}

#[derive(Deserialize)]
struct ProblemField {
    field: String,
    #[serde(alias = "description")]
    detail: String,
}

impl Problem {
    fn in_words(self) -> String {
        let fields = self.errors.into_iter().map(|error| format!("; {}: {}", error.field, error.detail));
        std::iter::once(self.detail).chain(fields).collect()
    }
}

/// How long a step of another service may take to show.
const STEP_LIMIT: Duration = Duration::from_secs(20);

/// Walks the scenario from the reporter to the gate.
pub(super) async fn walk(
    scenario: &Scenario,
    intake_url: &str,
    triage: Channel,
    cast: &Cast,
    drill: bool,
    tell: &Tell,
) -> Result<Walked, DemoError> {
    let started = Instant::now();
    let accepted = submit(scenario, intake_url).await?;
    let submit_to_receipt = started.elapsed();
    tell.step("reporter", &format!("submits the report and holds a receipt of eight words ({submit_to_receipt:.1?})"));

    let mut office = Office { cases: CaseServiceClient::new(triage), cast, case: String::new() };
    let summary = office.find(&accepted.report_id).await?;
    tell.step("triage", &format!("opens case {}, provisionally {}", summary.reference, summary.priority));
    office.case = summary.case_id;
    office.acknowledge().await?;
    tell.step("coordinator", "acknowledges: the clock of the first answer stops");
    let independent_sources = office.record_sources(scenario).await?;
    tell.step("verifier", &format!("records {} sources, {independent_sources} independent", scenario.sources().len()));
    let (assessment, release_by) = office.assess(scenario).await?;
    tell.step("coordinator", &format!("assesses: {} points, {}", assessment.score, assessment.priority));
    if let Some(expected) = scenario.expected_priority().filter(|expected| *expected != assessment.priority) {
        Tell::warn(&format!("the scenario expected {expected}"));
    }
    let consents = office.record_consents(scenario).await?;
    tell.step("coordinator", &format!("records {consents} consents"));
    let draft = office.draft_and_approve(scenario).await?;
    tell.step("coordinator", &format!("drafts for the track {} at TLP:{}", draft.track, draft.tlp));
    tell.step("approvers", "two people approve this version");
    let released_at = Instant::now();
    let release = office.release(drill).await?;
    Ok(Walked {
        report_id: accepted.report_id,
        receipt: accepted.receipt,
        submit_to_receipt,
        reference: summary.reference,
        assessment,
        independent_sources,
        release_by,
        release,
        released_at,
    })
}

/// Submits the report over the JSON door, as a defender's own program would.
async fn submit(scenario: &Scenario, intake_url: &str) -> Result<Accepted, DemoError> {
    let client = reqwest::Client::builder().no_proxy().build().map_err(DemoError::other)?;
    let answer = client
        .post(format!("{intake_url}/v1/reports"))
        .header("idempotency-key", uuid::Uuid::now_v7().to_string())
        .json(&scenario.report)
        .send()
        .await
        .map_err(DemoError::other)?;
    if answer.status() != reqwest::StatusCode::CREATED {
        let problem: Problem = answer.json().await.map_err(DemoError::other)?;
        return Err(DemoError::Report { answer: problem.in_words() });
    }
    answer.json().await.map_err(DemoError::other)
}

/// The people at triage, working on one case.
struct Office<'a> {
    cases: CaseServiceClient<Channel>,
    cast: &'a Cast,
    case: String,
}

impl Office<'_> {
    /// Waits until the report has become a case.
    async fn find(&mut self, report_id: &str) -> Result<CaseSummary, DemoError> {
        let deadline = Instant::now() + STEP_LIMIT;
        loop {
            let request = bearing(&self.cast.coordinator.secret, ListCasesRequest::default())?;
            let cases = self.cases.list_cases(request).await?.into_inner().cases;
            if let Some(found) = cases.into_iter().find(|case| case.report_id == report_id) {
                return Ok(found);
            }
            if Instant::now() > deadline {
                return Err(DemoError::Late { what: "the report did not become a case" });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn acknowledge(&mut self) -> Result<(), DemoError> {
        let request = AcknowledgeCaseRequest { case: self.case.clone() };
        self.cases.acknowledge_case(bearing(&self.cast.coordinator.secret, request)?).await?;
        Ok(())
    }

    async fn record_sources(&mut self, scenario: &Scenario) -> Result<u32, DemoError> {
        let mut recorded: Vec<String> = Vec::new();
        let mut independent = 0;
        for source in scenario.sources() {
            let mut message = source.message.clone();
            message.relays_source_id = source.relays.and_then(|index| recorded.get(index).cloned()).unwrap_or_default();
            let request = RecordSourceRequest { case: self.case.clone(), source: Some(message) };
            let answer = self.cases.record_source(bearing(&self.cast.verifier.secret, request)?).await?.into_inner();
            recorded.push(answer.source.unwrap_or_default().source_id);
            independent = answer.independent_sources;
        }
        Ok(independent)
    }

    async fn assess(&mut self, scenario: &Scenario) -> Result<(Assessment, Option<String>), DemoError> {
        let request = AssessCaseRequest {
            case: self.case.clone(),
            factors: Some(scenario.factors()),
            overrides: scenario.overrides(),
            claim: scenario.claim(),
            ..AssessCaseRequest::default()
        };
        let answer = self.cases.assess_case(bearing(&self.cast.coordinator.secret, request)?).await?.into_inner();
        let release_by = Some(answer.release_by).filter(|moment| !moment.is_empty());
        Ok((answer.assessment.unwrap_or_default(), release_by))
    }

    async fn record_consents(&mut self, scenario: &Scenario) -> Result<usize, DemoError> {
        let consents = scenario.consents();
        let count = consents.len();
        for consent in consents {
            let request = RecordConsentRequest { case: self.case.clone(), consent: Some(consent) };
            self.cases.record_consent(bearing(&self.cast.coordinator.secret, request)?).await?;
        }
        Ok(count)
    }

    async fn draft_and_approve(&mut self, scenario: &Scenario) -> Result<Draft, DemoError> {
        let request = DraftAlertRequest { case: self.case.clone(), draft: Some(scenario.draft()) };
        let drafted = self.cases.draft_alert(bearing(&self.cast.coordinator.secret, request)?).await?.into_inner();
        let draft = drafted.draft.unwrap_or_default();
        let request = SubmitForApprovalRequest { case: self.case.clone() };
        self.cases.submit_for_approval(bearing(&self.cast.coordinator.secret, request)?).await?;
        for approver in &self.cast.approvers {
            let request = ApproveAlertRequest { case: self.case.clone(), draft_version: draft.version };
            self.cases.approve_alert(bearing(&approver.secret, request)?).await?;
        }
        Ok(draft)
    }

    async fn release(&mut self, drill: bool) -> Result<ReleaseAlertResponse, DemoError> {
        let request = ReleaseAlertRequest { case: self.case.clone(), drill };
        Ok(self.cases.release_alert(bearing(&self.cast.coordinator.secret, request)?).await?.into_inner())
    }
}

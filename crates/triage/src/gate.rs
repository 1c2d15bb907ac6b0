//! Everything that a release depends on, read together, so that the decision is one pure function of it.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use tocsin_domain::alert::Draft;
use tocsin_domain::approval::{Approval, ApprovalFault, ApprovalQuestion, Approver, weigh};
use tocsin_domain::audience::Audience;
use tocsin_domain::case::{TrackAction, TrackState};
use tocsin_domain::consent::ConsentRecord;
use tocsin_domain::id::{ActorId, OrganisationId};
use tocsin_domain::priority::Priority;
use tocsin_domain::release::{Refusal, ReleasePlan, ReleaseQuestion, decide};
use tocsin_domain::report::Report;
use tocsin_platform::failure::Failure;
use tocsin_proto::dispatch::v1::PreviewAudienceRequest;
use tocsin_proto::triage::v1 as wire;

use crate::decode;
use crate::error::TriageError;
use crate::store::cases::{self, OpenCase};
use crate::store::drafts::{self, CurrentDraft, Decided};
use crate::store::findings;
use crate::vault::Vault;

/// A case before the gate.
pub(crate) struct Gate {
    pub(crate) case: OpenCase,
    pub(crate) report: Report,
    pub(crate) draft: CurrentDraft,
    pub(crate) alert: Draft,
    pub(crate) consents: Vec<wire::ConsentRecord>,
    records: Vec<ConsentRecord>,
    decisions: Vec<Decided>,
    drafter: ActorId,
    verifiers: Vec<ActorId>,
}

/// What must not change between the question to dispatch and the commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    draft: (i32, String),
    consents: usize,
    approvals: Vec<Approval>,
    verifiers: Vec<ActorId>,
    priority: String,
}

impl Gate {
    /// Reads without holding anything.
    pub(crate) async fn read<C: ConnectionTrait>(
        connection: &C,
        vault: &Vault,
        name: &str,
    ) -> Result<Self, TriageError> {
        let case = cases::find(connection, vault, name).await?;
        Self::of(connection, case).await
    }

    /// Reads and holds the case until the transaction ends.
    pub(crate) async fn lock(
        transaction: &DatabaseTransaction,
        vault: &Vault,
        name: &str,
    ) -> Result<Self, TriageError> {
        let case = cases::lock(transaction, vault, name).await?;
        Self::of(transaction, case).await
    }

    async fn of<C: ConnectionTrait>(connection: &C, case: OpenCase) -> Result<Self, TriageError> {
        let draft = drafts::required(connection, &case).await?;
        let stored = |_| TriageError::Foreign("a stored draft, consent or source");
        let alert = decode::draft::draft(&draft.content).map_err(stored)?;
        let consents = findings::consents(connection, &case).await?;
        let records = consents.iter().map(decode::consent::consent).collect::<Result<Vec<_>, _>>().map_err(stored)?;
        let sources = findings::sources(connection, &case).await?;
        let actor = |text: &str| text.parse::<ActorId>().map_err(|_| TriageError::Foreign("an actor id"));
        let mut verifiers = sources.iter().map(|source| actor(&source.recorded_by)).collect::<Result<Vec<_>, _>>()?;
        verifiers.sort();
        verifiers.dedup();
        let drafter = actor(&draft.row.drafted_by)?;
        let decisions = drafts::decisions(connection, &case).await?;
        let report = case.domain_report(connection).await?;
        Ok(Self { case, report, draft, alert, consents, records, decisions, drafter, verifiers })
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            draft: (self.draft.row.version, self.draft.row.state.clone()),
            consents: self.consents.len(),
            approvals: self.approvals(),
            verifiers: self.verifiers.clone(),
            priority: self.case.row.priority.clone(),
        }
    }

    /// Refuses what no decision could let through: a case that was stopped, a draft that is out already or called back.
    pub(crate) fn open(&self) -> Result<(), TriageError> {
        self.case.not_stopped()?;
        let state = self.draft.state()?;
        if state.is_out() {
            let says = "this version of the draft was released already; draft anew for another alert";
            return Err(Failure::refused("ALREADY_RELEASED", says).into());
        }
        if matches!(state, TrackState::Stopped | TrackState::ConsentWithdrawn) {
            state.after(TrackAction::Release)?;
        }
        Ok(())
    }

    /// The question to dispatch.
    pub(crate) fn audience_question(&self) -> PreviewAudienceRequest {
        PreviewAudienceRequest {
            track: self.alert.track.to_string(),
            tlp: self.alert.tlp.to_string(),
            priority: self.case.row.priority.clone(),
            country: self.report.country.to_string(),
            groups: self.report.groups.iter().map(ToString::to_string).collect(),
            named_partners: self.alert.named_partners.iter().map(ToString::to_string).collect(),
        }
    }

    pub(crate) fn priority(&self) -> Result<Priority, TriageError> {
        self.case.priority()
    }

    /// The decision.
    pub(crate) fn decide(&self, audience: &Audience, now: DateTime<Utc>) -> Result<ReleasePlan, Vec<Refusal>> {
        let approvals = self.approvals();
        let approvers = self.approvers();
        let concerned = self.organisations_concerned();
        let question = ReleaseQuestion {
            draft: &self.alert,
            consents: &self.records,
            approvals: &approvals,
            approval_question: self.approval_question(&approvers, &concerned),
            audience,
        };
        decide(&question, now)
    }

    /// Whether the decisions so far, and one more, make the two approvals.
    pub(crate) fn approved_with(&self, one_more: &Decided) -> bool {
        let mut approvals = self.approvals();
        approvals.push(one_more.approval.clone());
        let mut approvers = self.approvers();
        approvers.push(one_more.approver.clone());
        let concerned = self.organisations_concerned();
        weigh(&approvals, &self.approval_question(&approvers, &concerned)).is_ok()
    }

    /// Why this person may not approve this draft, if so.
    pub(crate) fn unfit(&self, decided: &Decided) -> Option<ApprovalFault> {
        let approvers = [decided.approver.clone()];
        let concerned = self.organisations_concerned();
        let question = self.approval_question(&approvers, &concerned);
        let faults = weigh(std::slice::from_ref(&decided.approval), &question).err()?;
        faults.into_iter().find(|fault| *fault != ApprovalFault::TwoNeeded)
    }

    /// Every decision on the current version, and those on older ones that are void.
    pub(crate) fn decisions(&self) -> &[Decided] {
        &self.decisions
    }

    fn approvals(&self) -> Vec<Approval> {
        self.decisions.iter().map(|decided| decided.approval.clone()).collect()
    }

    fn approvers(&self) -> Vec<Approver> {
        self.decisions.iter().map(|decided| decided.approver.clone()).collect()
    }

    fn organisations_concerned(&self) -> Vec<OrganisationId> {
        self.report.reporter.organisation_id.iter().cloned().collect()
    }

    fn approval_question<'a>(
        &'a self,
        approvers: &'a [Approver],
        organisations_concerned: &'a [OrganisationId],
    ) -> ApprovalQuestion<'a> {
        ApprovalQuestion {
            draft_version: self.draft.version(),
            drafter: &self.drafter,
            verifiers: &self.verifiers,
            approvers,
            organisations_concerned,
            country: self.report.country,
        }
    }
}

//! Drafts and the decisions on them.

use std::fmt;

use prost::Message;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder,
};
use tocsin_domain::approval::{Approval, Approver, Decision};
use tocsin_domain::case::{TrackAction, TrackState};
use tocsin_domain::id::ActorId;
use tocsin_platform::clock::from_ms;
use tocsin_platform::credentials::Principal;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::timestamp;
use tocsin_proto::triage::v1 as wire;
use uuid::Uuid;

use crate::entity::draft::{approval, version};
use crate::error::TriageError;
use crate::sealed::{self, place};
use crate::store::cases::OpenCase;

/// The current draft of a case.
#[derive(Clone)]
pub(crate) struct CurrentDraft {
    pub(crate) row: version::Model,
    /// As it was given, without version and state.
    pub(crate) content: wire::Draft,
}

impl CurrentDraft {
    pub(crate) fn state(&self) -> Result<TrackState, TriageError> {
        self.row.state.parse().map_err(|_| TriageError::Foreign("the state of a draft"))
    }

    pub(crate) fn version(&self) -> u32 {
        u32::try_from(self.row.version).unwrap_or(0)
    }

    /// Moves the draft on, if its state allows the action.
    pub(crate) fn act(&mut self, action: TrackAction) -> Result<(), TriageError> {
        self.row.state = self.state()?.after(action)?.to_string();
        Ok(())
    }

    /// Writes state and due time; the content never changes.
    pub(crate) async fn save<C: ConnectionTrait>(&self, connection: &C) -> Result<(), TriageError> {
        self.row.clone().into_active_model().reset_all().update(connection).await?;
        Ok(())
    }

    /// The draft as readers see it.
    pub(crate) fn to_wire(&self) -> wire::Draft {
        wire::Draft {
            draft_id: self.row.draft_id.to_string(),
            version: self.version(),
            drafted_by: self.row.drafted_by.clone(),
            state: self.row.state.clone(),
            ..self.content.clone()
        }
    }
}

/// The newest draft of a case.
pub(crate) async fn current<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
) -> Result<Option<CurrentDraft>, TriageError> {
    let row = version::Entity::find()
        .filter(version::Column::CaseId.eq(case.id()))
        .order_by_desc(version::Column::Version)
        .one(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let content = sealed::open(&case.key, &draft_place(case.id(), row.version), &row.sealed)?;
    Ok(Some(CurrentDraft { row, content }))
}

/// The newest draft, which must exist.
pub(crate) async fn required<C: ConnectionTrait>(connection: &C, case: &OpenCase) -> Result<CurrentDraft, TriageError> {
    let found = current(connection, case).await?;
    found.ok_or_else(|| Failure::refused("NO_DRAFT", "this case has no draft yet; draft the alert first").into())
}

/// Adds a version of the draft.
pub(crate) async fn add<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
    number: i32,
    drafted_by: &ActorId,
    content: wire::Draft,
    now_ms: i64,
) -> Result<CurrentDraft, TriageError> {
    let row = version::Model {
        case_id: case.id(),
        version: number,
        draft_id: Uuid::now_v7(),
        state: TrackState::Drafting.to_string(),
        drafted_by: drafted_by.to_string(),
        drafted_at_ms: now_ms,
        approvals_due_at_ms: None,
        sealed: sealed::close(&case.key, &draft_place(case.id(), number), &content)?,
    };
    row.clone().into_active_model().reset_all().insert(connection).await?;
    Ok(CurrentDraft { row, content })
}

fn draft_place(case: Uuid, number: i32) -> String {
    place("drafts", case, number)
}

/// What is sealed with a decision: the reason, and what a conflict of interest is judged by.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct DecisionFacts {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    organisation: String,
    #[prost(string, tag = "3")]
    country: String,
}

impl fmt::Debug for DecisionFacts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DecisionFacts [redacted]")
    }
}

/// A decision with who took it.
#[derive(Clone)]
pub(crate) struct Decided {
    pub(crate) approval: Approval,
    pub(crate) approver: Approver,
    reason: String,
}

impl Decided {
    /// A decision that somebody takes now.
    pub(crate) fn new(approval: Approval, principal: &Principal, reason: &str) -> Self {
        let approver = Approver {
            actor: principal.actor.clone(),
            organisation: principal.organisation.clone(),
            conflict_countries: principal.country.into_iter().collect(),
        };
        Self { approval, approver, reason: reason.to_owned() }
    }

    /// The decision as readers see it.
    pub(crate) fn to_wire(&self) -> wire::Approval {
        wire::Approval {
            approver_id: self.approval.approver.to_string(),
            decision: past(self.approval.decision).to_owned(),
            reason: self.reason.clone(),
            draft_version: self.approval.draft_version,
            at: Some(timestamp(self.approval.at)),
        }
    }
}

const fn past(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve => "approved",
        Decision::Reject => "rejected",
    }
}

/// Every decision on any version of a case's draft, in the order taken.
pub(crate) async fn decisions<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
) -> Result<Vec<Decided>, TriageError> {
    let rows = approval::Entity::find()
        .filter(approval::Column::CaseId.eq(case.id()))
        .order_by_asc(approval::Column::AtMs)
        .all(connection)
        .await?;
    rows.iter().map(|row| decided(case, row)).collect()
}

fn decided(case: &OpenCase, row: &approval::Model) -> Result<Decided, TriageError> {
    let foreign = || TriageError::Foreign("a decision on a draft");
    let facts: DecisionFacts = sealed::open(&case.key, &decision_place(row), &row.sealed)?;
    let actor: ActorId = row.approver.parse().map_err(|_| foreign())?;
    let decision =
        Decision::ALL.iter().copied().find(|decision| past(*decision) == row.decision).ok_or_else(foreign)?;
    let organisation = match facts.organisation.as_str() {
        "" => None,
        given => Some(given.parse().map_err(|_| foreign())?),
    };
    let conflict_countries = match facts.country.as_str() {
        "" => Vec::new(),
        given => vec![given.parse().map_err(|_| foreign())?],
    };
    Ok(Decided {
        approval: Approval {
            approver: actor.clone(),
            decision,
            at: from_ms(row.at_ms),
            draft_version: u32::try_from(row.draft_version).map_err(|_| foreign())?,
            delegated: None,
        },
        approver: Approver { actor, organisation, conflict_countries },
        reason: facts.reason,
    })
}

/// Writes a decision; one person's later decision on the same version replaces the earlier one.
pub(crate) async fn decide<C: ConnectionTrait>(
    connection: &C,
    case: &OpenCase,
    draft: &CurrentDraft,
    decided: &Decided,
    now_ms: i64,
) -> Result<(), TriageError> {
    let text = |value: Option<String>| value.unwrap_or_default();
    let facts = DecisionFacts {
        reason: decided.reason.clone(),
        organisation: text(decided.approver.organisation.as_ref().map(ToString::to_string)),
        country: text(decided.approver.conflict_countries.first().map(ToString::to_string)),
    };
    let mut row = approval::Model {
        case_id: case.id(),
        draft_version: draft.row.version,
        approver: decided.approval.approver.to_string(),
        decision: past(decided.approval.decision).to_owned(),
        at_ms: now_ms,
        sealed: Vec::new(),
    };
    row.sealed = sealed::close(&case.key, &decision_place(&row), &facts)?;
    let replace =
        OnConflict::columns([approval::Column::CaseId, approval::Column::DraftVersion, approval::Column::Approver])
            .update_columns([approval::Column::Decision, approval::Column::AtMs, approval::Column::Sealed])
            .to_owned();
    let row = approval::ActiveModel {
        case_id: Set(row.case_id),
        draft_version: Set(row.draft_version),
        approver: Set(row.approver),
        decision: Set(row.decision),
        at_ms: Set(row.at_ms),
        sealed: Set(row.sealed),
    };
    approval::Entity::insert(row).on_conflict(replace).exec_without_returning(connection).await?;
    Ok(())
}

fn decision_place(row: &approval::Model) -> String {
    place("approvals", row.case_id, format_args!("{}:{}", row.draft_version, row.approver))
}

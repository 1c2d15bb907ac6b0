//! Approvals: two people, neither the drafter nor a verifier, neither with a conflict of interest.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::codes::code_list;
use crate::country::CountryCode;
use crate::id::{ActorId, OrganisationId};

code_list! {
    /// What an approver decided.
    Decision in "decisions" { Approve = "approve", Reject = "reject" }
}

/// How many approvals a release needs. Urgency never lowers it, so it is not configuration.
pub const APPROVALS_NEEDED: usize = 2;

/// Someone else's right to approve, lent for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The approver whose right it is.
    pub by: ActorId,
    /// From this moment it counts no more.
    pub expires_at: DateTime<Utc>,
}

/// One decision on one version of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who decided.
    pub approver: ActorId,
    /// What.
    pub decision: Decision,
    /// When.
    pub at: DateTime<Utc>,
    /// The version of the draft that was read.
    pub draft_version: u32,
    /// Present if the approver stands in for someone.
    #[serde(default)]
    pub delegated: Option<Delegation>,
}

/// What is known of a person who may approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approver {
    /// The person.
    pub actor: ActorId,
    /// The person's organisation, if any.
    pub organisation: Option<OrganisationId>,
    /// Countries in which the person has a conflict of interest.
    #[serde(default)]
    pub conflict_countries: Vec<CountryCode>,
}

/// What approvals are weighed against.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalQuestion<'a> {
    /// The version of the draft that is to be released.
    pub draft_version: u32,
    /// Who drafted it.
    pub drafter: &'a ActorId,
    /// Who recorded sources or verified.
    pub verifiers: &'a [ActorId],
    /// Those who may approve. Someone who is not here cannot.
    pub approvers: &'a [Approver],
    /// The reporter's organisation and the subject's.
    pub organisations_concerned: &'a [OrganisationId],
    /// The country of the case.
    pub country: CountryCode,
}

/// Why approvals do not suffice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalFault {
    /// Somebody rejected this version.
    #[error("rejected by {0}")]
    Rejected(ActorId),
    /// The approval is of another version of the draft.
    #[error("{0} approved another version")]
    OtherVersion(ActorId),
    /// The approver drafted it.
    #[error("{0} drafted it")]
    Drafted(ActorId),
    /// The approver verified it.
    #[error("{0} verified it")]
    Verified(ActorId),
    /// The approver's organisation or country is concerned.
    #[error("{0} has a conflict of interest")]
    Conflict(ActorId),
    /// Nothing is known of the approver, so a conflict of interest cannot be excluded.
    #[error("{0} is not known as an approver")]
    Unknown(ActorId),
    /// The approver stood in for someone, but no longer could.
    #[error("the delegation to {0} has expired")]
    DelegationExpired(ActorId),
    /// Fewer than two approvals count.
    #[error("two approvers needed")]
    TwoNeeded,
}

/// The approvals that count, by the person who gave each, or every fault.
///
/// A rejection of this version always stands in the way. An approval that does not count is named only when the others
/// do not suffice without it. The last decision of one approver on this version counts.
pub fn weigh(approvals: &[Approval], question: &ApprovalQuestion<'_>) -> Result<Vec<ActorId>, Vec<ApprovalFault>> {
    let last = last_decisions(approvals, question.draft_version);
    let (rejecting, approving): (Vec<_>, Vec<_>) =
        last.into_iter().partition(|approval| is_rejection_of(approval, question.draft_version));
    let mut faults: Vec<_> =
        rejecting.iter().map(|approval| ApprovalFault::Rejected(approval.approver.clone())).collect();
    let mut counted = Vec::new();
    let mut shortcomings = Vec::new();
    // Two approvals by one right, the approver's own and the one lent, are one.
    let mut rights = BTreeSet::new();
    for approval in approving {
        let right = approval.delegated.as_ref().map_or(&approval.approver, |delegation| &delegation.by);
        match shortcoming(approval, right, question) {
            Some(fault) => shortcomings.push(fault),
            None if rights.insert(right) => counted.push(approval.approver.clone()),
            None => {}
        }
    }
    if counted.len() < APPROVALS_NEEDED {
        faults.append(&mut shortcomings);
        faults.push(ApprovalFault::TwoNeeded);
    }
    if faults.is_empty() { Ok(counted) } else { Err(faults) }
}

fn is_rejection_of(approval: &Approval, draft_version: u32) -> bool {
    approval.decision == Decision::Reject && approval.draft_version == draft_version
}

/// One decision for each person: the last one on this version, else their last approval of another version.
fn last_decisions(approvals: &[Approval], draft_version: u32) -> Vec<&Approval> {
    let mut last: BTreeMap<&ActorId, &Approval> = BTreeMap::new();
    for approval in approvals {
        let current = approval.draft_version == draft_version;
        let known_current = last.get(&approval.approver).is_some_and(|known| known.draft_version == draft_version);
        if current || (!known_current && approval.decision == Decision::Approve) {
            last.insert(&approval.approver, approval);
        }
    }
    last.into_values().collect()
}

fn shortcoming(approval: &Approval, right: &ActorId, question: &ApprovalQuestion<'_>) -> Option<ApprovalFault> {
    if approval.draft_version != question.draft_version {
        return Some(ApprovalFault::OtherVersion(approval.approver.clone()));
    }
    if approval.delegated.as_ref().is_some_and(|delegation| delegation.expires_at <= approval.at) {
        return Some(ApprovalFault::DelegationExpired(approval.approver.clone()));
    }
    // Whoever lends a right must be as free as whoever uses it, or a drafter could approve through a friend.
    unfit(&approval.approver, question).or_else(|| unfit(right, question))
}

fn unfit(actor: &ActorId, question: &ApprovalQuestion<'_>) -> Option<ApprovalFault> {
    if actor == question.drafter {
        return Some(ApprovalFault::Drafted(actor.clone()));
    }
    if question.verifiers.contains(actor) {
        return Some(ApprovalFault::Verified(actor.clone()));
    }
    let Some(approver) = question.approvers.iter().find(|approver| &approver.actor == actor) else {
        return Some(ApprovalFault::Unknown(actor.clone()));
    };
    let own = approver.organisation.as_ref().is_some_and(|own| question.organisations_concerned.contains(own));
    let flagged = approver.conflict_countries.contains(&question.country);
    (own || flagged).then(|| ApprovalFault::Conflict(actor.clone()))
}

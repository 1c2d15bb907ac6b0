//! The states of a case and of each of its tracks, and which action leads from which to which.

use std::fmt;

use crate::codes::code_list;

code_list! {
    /// The state of a case. Drafting, approval and release have states of their own for each track.
    CaseState in "case_states" {
        Received = "received", Acknowledged = "acknowledged", Duplicate = "duplicate",
        OutOfMandate = "out_of_mandate", Verifying = "verifying", NeedsInfo = "needs_info", Triaged = "triaged",
        ConsentPending = "consent_pending", Monitoring = "monitoring", ConsentWithdrawn = "consent_withdrawn",
        Closed = "closed", Retention = "retention", Purged = "purged",
    }

    /// Something that is done with a case.
    CaseAction in "case_actions" {
        Acknowledge = "acknowledge", MarkDuplicate = "mark_duplicate", ReferElsewhere = "refer_elsewhere",
        RecordSource = "record_source", AskForInformation = "ask_for_information",
        ReceiveInformation = "receive_information", Assess = "assess", RecordConsent = "record_consent",
        WithdrawConsent = "withdraw_consent", Draft = "draft", Release = "release", Close = "close",
        EnterRetention = "enter_retention", Purge = "purge",
    }

    /// The state of one track of a case.
    TrackState in "track_states" {
        Drafting = "drafting", Translating = "translating", ApprovalPending = "approval_pending",
        Approved = "approved", Rejected = "rejected", Released = "released", Dispatching = "dispatching",
        Dispatched = "dispatched", Monitoring = "monitoring", UpdateIssued = "update_issued", Stopped = "stopped",
        ConsentWithdrawn = "consent_withdrawn",
    }

    /// Something that is done with a track.
    TrackAction in "track_actions" {
        Revise = "revise", Translate = "translate", SubmitForApproval = "submit_for_approval", Approve = "approve",
        Reject = "reject", Release = "release", StartDispatch = "start_dispatch", FinishDispatch = "finish_dispatch",
        Monitor = "monitor", IssueUpdate = "issue_update", Stop = "stop", WithdrawConsent = "withdraw_consent",
    }
}

/// An action that a state does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionRefused {
    /// The state.
    pub state: &'static str,
    /// The action.
    pub action: &'static str,
    /// The actions that the state allows.
    pub possible: Vec<&'static str>,
}

impl fmt::Display for TransitionRefused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is not possible while {}; ", self.action, self.state)?;
        if self.possible.is_empty() {
            return formatter.write_str("nothing is");
        }
        write!(formatter, "possible now: {}", self.possible.join(", "))
    }
}

impl std::error::Error for TransitionRefused {}

impl CaseState {
    /// The state after an action. An action that only adds to the case leaves the state as it is.
    pub fn after(self, action: CaseAction) -> Result<Self, TransitionRefused> {
        self.next(action).ok_or_else(|| TransitionRefused {
            state: self.as_str(),
            action: action.as_str(),
            possible: self.possible().into_iter().map(CaseAction::as_str).collect(),
        })
    }

    /// The actions that the state allows.
    pub fn possible(self) -> Vec<CaseAction> {
        CaseAction::ALL.iter().copied().filter(|action| self.next(*action).is_some()).collect()
    }

    /// Whether people still work on the case.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::Retention | Self::Purged)
    }

    fn next(self, action: CaseAction) -> Option<Self> {
        match action {
            CaseAction::Acknowledge => (self == Self::Received).then_some(Self::Acknowledged),
            CaseAction::MarkDuplicate => self.before_triage().then_some(Self::Duplicate),
            CaseAction::ReferElsewhere => self.before_triage().then_some(Self::OutOfMandate),
            CaseAction::RecordSource => match self {
                Self::Acknowledged | Self::NeedsInfo => Some(Self::Verifying),
                state => state.in_work().then_some(state),
            },
            CaseAction::AskForInformation => match self {
                Self::Acknowledged | Self::Verifying => Some(Self::NeedsInfo),
                state => state.in_work().then_some(state),
            },
            CaseAction::ReceiveInformation => match self {
                Self::NeedsInfo => Some(Self::Verifying),
                state => state.is_open().then_some(state),
            },
            CaseAction::Assess => match self {
                // Without a source yet the score stands on the report alone: no answer waits for verification.
                Self::Acknowledged | Self::Verifying | Self::NeedsInfo => Some(Self::Triaged),
                // A new fact recomputes the score of a case at any later point.
                state => state.triaged_or_later().then_some(state),
            },
            CaseAction::RecordConsent => match self {
                Self::Triaged | Self::ConsentWithdrawn => Some(Self::ConsentPending),
                state => state.in_work().then_some(state),
            },
            CaseAction::WithdrawConsent => self.is_open().then_some(Self::ConsentWithdrawn),
            CaseAction::Draft => match self {
                Self::Triaged => Some(Self::ConsentPending),
                // Drafting publishes nothing: after a withdrawal the gate refuses, and says so.
                Self::ConsentPending | Self::ConsentWithdrawn | Self::Monitoring => Some(self),
                _ => None,
            },
            CaseAction::Release => matches!(self, Self::ConsentPending | Self::Monitoring).then_some(Self::Monitoring),
            // A case that nobody has looked at cannot be closed.
            CaseAction::Close => (self.is_open() && self != Self::Received).then_some(Self::Closed),
            CaseAction::EnterRetention => (self == Self::Closed).then_some(Self::Retention),
            CaseAction::Purge => (self == Self::Retention).then_some(Self::Purged),
        }
    }

    fn before_triage(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Verifying | Self::NeedsInfo)
    }

    fn triaged_or_later(self) -> bool {
        matches!(self, Self::Triaged | Self::ConsentPending | Self::Monitoring | Self::ConsentWithdrawn)
    }

    fn in_work(self) -> bool {
        self.before_triage() || self.triaged_or_later()
    }
}

impl TrackState {
    /// The state after an action.
    pub fn after(self, action: TrackAction) -> Result<Self, TransitionRefused> {
        self.next(action).ok_or_else(|| TransitionRefused {
            state: self.as_str(),
            action: action.as_str(),
            possible: self.possible().into_iter().map(TrackAction::as_str).collect(),
        })
    }

    /// The actions that the state allows.
    pub fn possible(self) -> Vec<TrackAction> {
        TrackAction::ALL.iter().copied().filter(|action| self.next(*action).is_some()).collect()
    }

    /// Whether something has left the house.
    pub fn is_out(self) -> bool {
        (Self::Released..=Self::UpdateIssued).contains(&self)
    }

    fn next(self, action: TrackAction) -> Option<Self> {
        match (action, self) {
            (
                TrackAction::Revise,
                Self::Drafting | Self::Translating | Self::ApprovalPending | Self::Approved | Self::Rejected,
            ) => Some(Self::Drafting),
            (TrackAction::Translate, Self::Drafting) => Some(Self::Translating),
            (TrackAction::SubmitForApproval, Self::Drafting | Self::Translating) => Some(Self::ApprovalPending),
            (TrackAction::Approve, Self::ApprovalPending) => Some(Self::Approved),
            (TrackAction::Reject, Self::ApprovalPending | Self::Approved) => Some(Self::Rejected),
            (TrackAction::Release, Self::Approved) => Some(Self::Released),
            (TrackAction::StartDispatch, Self::Released | Self::UpdateIssued) => Some(Self::Dispatching),
            (TrackAction::FinishDispatch, Self::Dispatching) => Some(Self::Dispatched),
            (TrackAction::Monitor, Self::Dispatched | Self::UpdateIssued) => Some(Self::Monitoring),
            (TrackAction::IssueUpdate, Self::Dispatched | Self::Monitoring) => Some(Self::UpdateIssued),
            (TrackAction::Stop, Self::Approved) => Some(Self::Stopped),
            (TrackAction::Stop, state) if state.is_out() => Some(Self::Stopped),
            // Withdrawing comes before everything else, so every state allows it, a repetition included.
            (TrackAction::WithdrawConsent, _) => Some(Self::ConsentWithdrawn),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_case_walks_from_received_to_purged() {
        use CaseAction as A;
        let walk = [
            A::Acknowledge,
            A::RecordSource,
            A::AskForInformation,
            A::ReceiveInformation,
            A::RecordSource,
            A::Assess,
            A::RecordConsent,
            A::Draft,
            A::Release,
            A::Assess,
            A::Close,
            A::EnterRetention,
            A::Purge,
        ];
        let states: Vec<_> = walk
            .iter()
            .scan(CaseState::Received, |state, action| {
                *state = state.after(*action).unwrap();
                Some(state.as_str())
            })
            .collect();
        let expected = [
            "acknowledged",
            "verifying",
            "needs_info",
            "verifying",
            "verifying",
            "triaged",
            "consent_pending",
            "consent_pending",
            "monitoring",
            "monitoring",
            "closed",
            "retention",
            "purged",
        ];
        assert_eq!(states, expected);
    }

    #[test]
    fn a_track_walks_from_draft_to_update() {
        use TrackAction as A;
        let walk = [
            A::Translate,
            A::SubmitForApproval,
            A::Reject,
            A::Revise,
            A::SubmitForApproval,
            A::Approve,
            A::Release,
            A::StartDispatch,
            A::FinishDispatch,
            A::Monitor,
            A::IssueUpdate,
            A::StartDispatch,
            A::Stop,
        ];
        let end = walk.iter().try_fold(TrackState::Drafting, |state, action| state.after(*action));
        assert_eq!(end, Ok(TrackState::Stopped));
    }

    #[test]
    fn nothing_is_released_without_approval_and_nothing_stopped_before_it() {
        for state in TrackState::ALL {
            assert_eq!(state.after(TrackAction::Release).is_ok(), *state == TrackState::Approved, "{state}");
            let can_stop = *state == TrackState::Approved || state.is_out();
            assert_eq!(state.after(TrackAction::Stop).is_ok(), can_stop, "{state}");
            assert_eq!(state.after(TrackAction::WithdrawConsent), Ok(TrackState::ConsentWithdrawn));
        }
    }

    #[test]
    fn a_refusal_names_the_state_and_what_is_possible() {
        let error = CaseState::Closed.after(CaseAction::Acknowledge).unwrap_err().to_string();
        assert_eq!(error, "acknowledge is not possible while closed; possible now: enter_retention");
        let error = CaseState::Purged.after(CaseAction::Close).unwrap_err().to_string();
        assert_eq!(error, "close is not possible while purged; nothing is");
    }

    proptest! {
        #[test]
        fn no_walk_closes_an_unread_case_or_reopens_a_closed_one(
            actions in prop::collection::vec(prop::sample::select(CaseAction::ALL), 0..30),
        ) {
            let mut state = CaseState::Received;
            for action in actions {
                let Ok(next) = state.after(action) else { continue };
                prop_assert!(state.is_open() || !next.is_open());
                prop_assert!(state != CaseState::Received || next.is_open());
                state = next;
            }
        }
    }
}

//! Roles: who may do what. What depends on the case (own draft, conflict of interest) is decided elsewhere.

use crate::codes::code_list;

code_list! {
    /// What a person or program is to the network. A key carries one or several.
    Role in "roles" {
        Reporter = "reporter", DutyOfficer = "duty_officer", Verifier = "verifier", Coordinator = "coordinator",
        IdentityCustodian = "identity_custodian", Approver = "approver", LanguageReviewer = "language_reviewer",
        SignatoryDelegate = "signatory_delegate", PartnerDesk = "partner_desk", Operator = "operator",
        Auditor = "auditor", Administrator = "administrator",
    }

    /// Something that needs a right.
    Action in "actions" {
        SubmitReport = "submit_report", ReadOwnReport = "read_own_report", ListCases = "list_cases",
        ReadCase = "read_case", AcknowledgeCase = "acknowledge_case", AskReporter = "ask_reporter",
        MarkDuplicate = "mark_duplicate", SetProvisionalPriority = "set_provisional_priority",
        RecordSource = "record_source", Assess = "assess", RecordConsent = "record_consent",
        WriteDraft = "write_draft", SubmitForApproval = "submit_for_approval", PreviewRelease = "preview_release",
        Approve = "approve", ReviewTranslation = "review_translation", Release = "release", StopCase = "stop_case",
        UnlockIdentity = "unlock_identity", ReadFeed = "read_feed", Respond = "respond",
        AnswerReferral = "answer_referral", ReadCoverage = "read_coverage",
        ImportOrganisations = "import_organisations", ReadQueues = "read_queues", Redrive = "redrive",
        ReadAuditTrail = "read_audit_trail", ManageKeys = "manage_keys",
    }
}

/// Whether a role may do something at all.
pub fn may(role: Role, action: Action) -> bool {
    allowed(role).contains(&action)
}

/// Whether any of several roles may.
pub fn any_may(roles: &[Role], action: Action) -> bool {
    roles.iter().any(|role| may(*role, action))
}

/// Everything a role may do.
pub const fn allowed(role: Role) -> &'static [Action] {
    match role {
        Role::Reporter => &[Action::SubmitReport, Action::ReadOwnReport],
        Role::DutyOfficer => &[
            Action::SubmitReport,
            Action::ListCases,
            Action::ReadCase,
            Action::AcknowledgeCase,
            Action::AskReporter,
            Action::MarkDuplicate,
            Action::SetProvisionalPriority,
            Action::StopCase,
        ],
        Role::Verifier => {
            &[Action::ListCases, Action::ReadCase, Action::AskReporter, Action::RecordSource, Action::ReadCoverage]
        }
        Role::Coordinator => &[
            Action::SubmitReport,
            Action::ListCases,
            Action::ReadCase,
            Action::AcknowledgeCase,
            Action::AskReporter,
            Action::MarkDuplicate,
            Action::SetProvisionalPriority,
            Action::RecordSource,
            Action::Assess,
            Action::RecordConsent,
            Action::WriteDraft,
            Action::SubmitForApproval,
            Action::PreviewRelease,
            Action::Release,
            Action::StopCase,
            Action::ReadCoverage,
        ],
        Role::IdentityCustodian => &[Action::ListCases, Action::UnlockIdentity],
        Role::Approver => &[
            Action::ListCases,
            Action::ReadCase,
            Action::PreviewRelease,
            Action::Approve,
            Action::StopCase,
            Action::ReadCoverage,
        ],
        Role::LanguageReviewer => &[Action::ReviewTranslation],
        Role::SignatoryDelegate => &[Action::SubmitReport, Action::ReadFeed, Action::Respond],
        Role::PartnerDesk => &[Action::ReadFeed, Action::Respond, Action::AnswerReferral],
        Role::Operator => &[Action::ReadQueues, Action::Redrive],
        Role::Auditor => &[Action::ReadAuditTrail, Action::ReadCoverage],
        Role::Administrator => &[Action::ManageKeys, Action::ImportOrganisations, Action::ReadQueues],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_role_holds_both_ends_of_the_gate() {
        check(Action::Approve, &[Role::Approver]);
        check(Action::Release, &[Role::Coordinator]);
        check(Action::WriteDraft, &[Role::Coordinator]);
        check(Action::RecordSource, &[Role::Verifier, Role::Coordinator]);
        check(Action::Assess, &[Role::Coordinator]);
        check(Action::RecordConsent, &[Role::Coordinator]);
        check(Action::UnlockIdentity, &[Role::IdentityCustodian]);
        check(Action::ManageKeys, &[Role::Administrator]);
    }

    #[test]
    fn whoever_works_on_a_release_may_stop_it() {
        check(Action::StopCase, &[Role::DutyOfficer, Role::Coordinator, Role::Approver]);
    }

    #[test]
    fn content_stays_with_those_who_work_on_the_case() {
        check(Action::ReadCase, &[Role::DutyOfficer, Role::Verifier, Role::Coordinator, Role::Approver]);
        check(Action::ReadFeed, &[Role::SignatoryDelegate, Role::PartnerDesk]);
    }

    #[test]
    fn every_action_has_a_role() {
        for action in Action::ALL {
            assert!(any_may(Role::ALL, *action), "{action}");
        }
    }

    fn check(action: Action, expected: &[Role]) {
        let roles: Vec<_> = Role::ALL.iter().copied().filter(|role| may(*role, action)).collect();
        assert_eq!(roles, expected, "{action}");
    }
}

//! What was decided on a case: approvals, the gate's answer, and what followed.

use tocsin_proto::triage::v1::{
    Approval, Draft, GetCaseResponse, PreviewReleaseResponse, RecordSourceResponse, ReleaseAlertResponse,
    StopCaseResponse, SubmitForApprovalResponse,
};

use super::{case, yes_no};
use crate::output::{Page, Table, moment};

/// A recorded source, and whether there are enough.
pub(in crate::client) fn source(answer: &RecordSourceResponse) -> String {
    let mut page = Page::new();
    page.table(&case::sources(answer.source.as_slice()));
    page.field("independent sources", answer.independent_sources.to_string());
    page.field("sufficient", yes_no(answer.sources_sufficient));
    page.finish()
}

/// A draft that waits for approvals.
pub(in crate::client) fn submitted(answer: &SubmitForApprovalResponse) -> String {
    let mut page = Page::new();
    if let Some(draft) = &answer.draft {
        page.field("draft", format!("version {}", draft.version)).field("state", &draft.state);
    }
    page.field("two approvals by", moment(answer.approvals_due_at.as_ref()));
    page.finish()
}

/// The approvals that a draft has now.
pub(in crate::client) fn approvals(approvals: &[Approval], draft: Option<&Draft>) -> String {
    let mut page = Page::new();
    if let Some(draft) = draft {
        page.field("draft", format!("version {}", draft.version)).field("state", &draft.state);
    }
    page.table(&approval_table(approvals));
    page.finish()
}

/// The table of approvals.
pub(in crate::client) fn approval_table(approvals: &[Approval]) -> Table {
    let mut table = Table::new(["approver", "decision", "draft version", "at", "reason"]);
    for approval in approvals {
        table.row([
            approval.approver_id.clone(),
            approval.decision.clone(),
            approval.draft_version.to_string(),
            moment(approval.at.as_ref()),
            approval.reason.clone(),
        ]);
    }
    table
}

/// Whom a release would reach and what each would read.
pub(in crate::client) fn preview(answer: &PreviewReleaseResponse) -> String {
    let mut page = Page::new();
    page.field("would be released", yes_no(answer.refusals.is_empty()));
    for refusal in &answer.refusals {
        page.field("refused", refusal);
    }
    page.field("organisations", answer.organisation_ids.len().to_string());
    page.field("contacts", answer.contacts.to_string()).list("reaches", &answer.organisation_ids);
    for notice in &answer.notices {
        page.heading(&format!("{} in {}", notice.channel, notice.language));
        page.quote(&notice.subject).quote(&notice.text);
    }
    page.finish()
}

/// What the gate answered.
pub(in crate::client) fn released(answer: &ReleaseAlertResponse) -> String {
    let mut page = Page::new();
    page.field("released", yes_no(answer.released));
    for refusal in &answer.refusals {
        page.field("refused", refusal);
    }
    page.field("reference", &answer.reference).field("short code", &answer.short_code);
    page.field("released at", moment(answer.released_at.as_ref())).field("deadline", moment(answer.deadline.as_ref()));
    page.field("alert id", &answer.alert_id);
    page.finish()
}

/// A stopped case, and what is being withdrawn.
pub(in crate::client) fn stopped(answer: &StopCaseResponse) -> String {
    let mut page = Page::new();
    page.field("case", answer.summary.as_ref().map_or("", |case| case.reference.as_str()));
    page.field("state", answer.summary.as_ref().map_or("", |case| case.state.as_str()));
    page.list("being withdrawn", &answer.alert_ids);
    page.finish()
}

/// What followed: alerts, responses, and who did what.
pub(super) fn outcomes(page: &mut Page, case: &GetCaseResponse) {
    let mut alerts = Table::new(["alert", "reference", "revision", "short code", "state", "released"]);
    for alert in &case.alerts {
        alerts.row([
            alert.alert_id.clone(),
            alert.reference.clone(),
            alert.revision.to_string(),
            alert.short_code.clone(),
            alert.state.clone(),
            moment(alert.released_at.as_ref()),
        ]);
    }
    let mut responses = Table::new(["organisation", "response", "at"]);
    for response in &case.responses {
        responses.row([response.organisation_id.clone(), response.response.clone(), moment(response.at.as_ref())]);
    }
    let mut audit = Table::new(["at", "actor", "action", "detail"]);
    for entry in &case.audit {
        audit.row([moment(entry.at.as_ref()), entry.actor_id.clone(), entry.action.clone(), entry.detail.clone()]);
    }
    for (heading, table) in [("Alerts", alerts), ("Responses", responses), ("Audit trail", audit)] {
        if !table.is_empty() {
            page.heading(heading).table(&table);
        }
    }
}

//! A case: its list, its page, and the tables on it.

use tocsin_proto::triage::v1::{
    AssessCaseResponse, Assessment, CaseSummary, ConsentLimits, ConsentRecord, Draft, GetCaseResponse, Source,
};

use super::{report, verdict, yes_no};
use crate::output::{Page, Table, moment};

/// The table of cases.
pub(in crate::client) fn table(cases: &[CaseSummary]) -> Table {
    let mut table = Table::new(["case", "state", "priority", "received", "acknowledged", "escalates", "coordinator"]);
    for case in cases {
        table.row([
            // A case may have no reference yet; every verb takes its id too.
            if case.reference.is_empty() { case.case_id.clone() } else { case.reference.clone() },
            case.state.clone(),
            priority(case),
            moment(case.received_at.as_ref()),
            moment(case.acknowledged_at.as_ref()),
            moment(case.escalates_at.as_ref()),
            case.coordinator.as_ref().map(|person| person.name.clone()).unwrap_or_default(),
        ]);
    }
    table
}

fn priority(case: &CaseSummary) -> String {
    if case.assessed { case.priority.clone() } else { format!("{} (provisional)", case.priority) }
}

/// The head of a case alone.
pub(in crate::client) fn summary_of(case: Option<&CaseSummary>) -> String {
    let mut page = Page::new();
    if let Some(case) = case {
        summary(&mut page, case);
    }
    page.finish()
}

fn summary(page: &mut Page, case: &CaseSummary) {
    page.field("case", &case.reference).field("state", &case.state).field("priority", priority(case));
    page.field("received", moment(case.received_at.as_ref()));
    page.field("acknowledged", moment(case.acknowledged_at.as_ref()));
    page.field("escalates", moment(case.escalates_at.as_ref()));
    page.field("coordinator", case.coordinator.as_ref().map_or("", |person| person.name.as_str()));
    page.field("case id", &case.case_id).field("report id", &case.report_id);
}

/// Everything about a case that the caller may read.
pub(in crate::client) fn whole(case: &GetCaseResponse) -> String {
    let mut page = Page::new();
    if let Some(head) = &case.summary {
        summary(&mut page, head);
    }
    page.field("release by", &case.release_by);
    for step in &case.missed_steps {
        page.field("will be missed", step);
    }
    if let Some(content) = &case.report {
        report::add(&mut page, content);
    }
    for message in &case.messages {
        page.heading(&format!("Message of the {}, {}", message.from, moment(message.at.as_ref()))).quote(&message.text);
    }
    page.heading(&format!(
        "Sources ({} independent, sufficient: {})",
        case.independent_sources,
        yes_no(case.sources_sufficient)
    ));
    page.table(&sources(&case.sources));
    if let Some(assessment) = &case.assessment {
        self::assessment(&mut page, assessment);
    }
    if !case.consents.is_empty() {
        page.heading("Consents").table(&consents(&case.consents));
    }
    if let Some(draft) = &case.draft {
        self::draft(&mut page, draft);
    }
    if !case.approvals.is_empty() {
        page.heading("Approvals").table(&verdict::approval_table(&case.approvals));
    }
    verdict::outcomes(&mut page, case);
    page.finish()
}

/// The table of sources.
pub(in crate::client) fn sources(sources: &[Source]) -> Table {
    let mut table = Table::new(["source", "link", "reliability", "information", "first hand", "relays", "recorded by"]);
    for source in sources {
        table.row([
            source.source_id.clone(),
            source.link.clone(),
            source.reliability.clone(),
            source.information.clone(),
            yes_no(source.first_hand).into(),
            source.relays_source_id.clone(),
            source.recorded_by.clone(),
        ]);
    }
    table
}

/// What an assessment found.
pub(in crate::client) fn assessed(answer: &AssessCaseResponse) -> String {
    let mut page = Page::new();
    if let Some(case) = &answer.summary {
        summary(&mut page, case);
    }
    page.field("release by", &answer.release_by);
    for step in &answer.missed_steps {
        page.field("will be missed", step);
    }
    if let Some(assessment) = &answer.assessment {
        self::assessment(&mut page, assessment);
    }
    page.finish()
}

fn assessment(page: &mut Page, assessment: &Assessment) {
    page.heading("Assessment");
    page.field("priority", &assessment.priority).field("score", assessment.score.to_string());
    page.field("claim", &assessment.claim).list("overrides", &assessment.overrides);
    page.field("changed because", &assessment.changed_reason);
    page.field("by", &assessment.assessed_by).field("at", moment(assessment.assessed_at.as_ref()));
    page.table(&contributions(assessment));
}

/// The table of what made the score.
pub(in crate::client) fn contributions(assessment: &Assessment) -> Table {
    let mut table = Table::new(["contribution", "points", "at most", "why"]);
    for part in &assessment.contributions {
        table.row([part.name.clone(), part.points.to_string(), part.maximum.to_string(), part.explanation.clone()]);
    }
    table
}

/// The table of consents.
pub(in crate::client) fn consents(consents: &[ConsentRecord]) -> Table {
    let mut table = Table::new([
        "who", "purpose", "audience", "identity", "status", "form", "limits", "expires", "version", "recorded",
    ]);
    for consent in consents {
        table.row([
            consent.who.clone(),
            consent.purpose.clone(),
            consent.audience.clone(),
            consent.identity_level.clone(),
            consent.status.clone(),
            consent.form.clone(),
            consent.limits.as_ref().map(limits).unwrap_or_default(),
            moment(consent.expires_at.as_ref()),
            consent.version.to_string(),
            moment(consent.recorded_at.as_ref()),
        ]);
    }
    table
}

fn limits(limits: &ConsentLimits) -> String {
    [&limits.organisations, &limits.languages, &limits.unchecked]
        .into_iter()
        .flatten()
        .cloned()
        .collect::<Vec<_>>()
        .join(", ")
}

/// A draft alone.
pub(in crate::client) fn draft_of(draft: Option<&Draft>) -> String {
    let mut page = Page::new();
    if let Some(draft) = draft {
        self::draft(&mut page, draft);
    }
    page.finish()
}

fn draft(page: &mut Page, draft: &Draft) {
    page.heading(&format!("Draft, version {} ({})", draft.version, draft.state));
    page.field("track", &draft.track).field("tlp", &draft.tlp).field("identity level", &draft.identity_level);
    page.list("asks", &draft.asks).list("demands", &draft.demands).list("named partners", &draft.named_partners);
    page.field("sign-on hours", draft.sign_on_hours.map(|hours| hours.to_string()).unwrap_or_default());
    page.field("drafted by", &draft.drafted_by);
    for addressee in &draft.addressees {
        page.field(
            "addressee",
            format!("{} ({}, reply in {} days)", addressee.name, addressee.kind, addressee.reply_days),
        );
    }
    for text in &draft.texts {
        let source = if text.language == draft.source_language { ", source" } else { "" };
        page.heading(&format!("Text in {} ({}{source})", text.language, text.translation));
        page.quote(&text.headline).quote(&text.body);
    }
}

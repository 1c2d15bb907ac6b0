//! A report as those who work on its case read it.

use tocsin_proto::intake::v1::{Report, SafeContact};

use crate::output::Page;

/// Adds the report to a page.
pub(super) fn add(page: &mut Page, report: &Report) {
    page.heading("Report");
    if let Some(reporter) = &report.reporter {
        page.field("reporter", &reporter.relation);
        page.field("organisation", &reporter.organisation_id).field("language", &reporter.language);
    }
    page.field("written", &report.submitted_at).field("country", &report.country).field("place", &report.place_type);
    if let Some(subject) = &report.subject {
        page.field("subject", format!("{} {}", subject.count, subject.unit));
    }
    page.list("kinds", &report.kinds);
    let actors: Vec<_> =
        report.actors.iter().map(|actor| format!("{} ({}, alleged)", actor.code, actor.degree)).collect();
    page.list("actors", &actors).list("groups", &report.groups).field("phase", &report.phase);
    page.list("support asked", &report.support_asked);
    if let Some(date) = &report.adversary_date {
        page.field(&date.kind, &date.at);
    }
    if let Some(contact) = &report.safe_contact {
        safe_contact(page, contact);
    }
    if !report.narrative.is_empty() {
        page.heading("Narrative").quote(&report.narrative);
    }
}

/// How the reporter may be reached, and how never: it stands apart, because breaking it can cost a life.
fn safe_contact(page: &mut Page, contact: &SafeContact) {
    page.heading("Safe contact");
    page.list("allowed", &contact.allowed).list("NEVER", &contact.forbidden);
    page.field("hours", &contact.hours).field("time zone", &contact.time_zone).field("language", &contact.language);
    page.field("address", &contact.address).field("shared with", &contact.shared_with);
    page.field("cover text", &contact.cover_text).field("proxy", &contact.proxy);
    page.field("code word, safe", &contact.code_word_safe).field("code word, duress", &contact.code_word_duress);
    page.field("expires", &contact.expires_at);
}

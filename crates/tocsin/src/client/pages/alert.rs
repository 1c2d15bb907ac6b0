//! Alerts as readers see them, and how far one got.

use std::collections::BTreeMap;
use std::collections::HashMap;

use tocsin_proto::dispatch::v1::{Alert, GetCoverageResponse, RespondToAlertResponse};

use super::yes_no;
use crate::output::{Page, Table, moment};

/// The table of alerts.
pub(in crate::client) fn table(alerts: &[Alert]) -> Table {
    let mut table = Table::new(["alert", "state", "priority", "tlp", "released", "deadline", "headline"]);
    for alert in alerts {
        table.row([
            alert.short_code.clone(),
            state(alert),
            alert.priority.clone(),
            alert.tlp.clone(),
            moment(alert.released_at.as_ref()),
            moment(alert.deadline.as_ref()),
            headline(alert).to_owned(),
        ]);
    }
    table
}

/// The state, with the mark of an exercise.
pub(in crate::client) fn state(alert: &Alert) -> String {
    if alert.drill { format!("{} [EXERCISE]", alert.state) } else { alert.state.clone() }
}

/// The headline in the source language, else in any.
pub(in crate::client) fn headline(alert: &Alert) -> &str {
    let source = alert.texts.iter().find(|text| text.language == alert.source_language);
    source.or(alert.texts.first()).map_or("", |text| text.headline.as_str())
}

/// An alert whole.
pub(in crate::client) fn whole(alert: &Alert) -> String {
    let mut page = Page::new();
    page.field("alert", &alert.short_code).field("reference", &alert.reference);
    page.field("revision", alert.revision.to_string()).field("state", state(alert));
    page.field("withdrawn because", &alert.withdrawn_reason);
    page.field("priority", &alert.priority).field("tlp", &alert.tlp).field("track", &alert.track);
    page.field("released", moment(alert.released_at.as_ref())).field("answer by", moment(alert.deadline.as_ref()));
    page.list("asks", &alert.asks).list("demands", &alert.demands).field("alert id", &alert.alert_id);
    for addressee in &alert.addressees {
        page.field(
            "addressee",
            format!("{} ({}, reply in {} days)", addressee.name, addressee.kind, addressee.reply_days),
        );
    }
    for text in &alert.texts {
        page.heading(&format!("Text in {}", text.language)).quote(&text.headline).quote(&text.body);
    }
    page.finish()
}

/// A recorded answer.
pub(in crate::client) fn response(answer: &RespondToAlertResponse) -> String {
    let mut page = Page::new();
    page.field("organisation", &answer.organisation_id).field("response", &answer.response);
    page.field("at", moment(answer.at.as_ref()));
    page.finish()
}

/// How far an alert got.
pub(in crate::client) fn coverage(coverage: &GetCoverageResponse) -> String {
    let mut page = Page::new();
    if let Some(alert) = &coverage.alert {
        page.field("alert", &alert.short_code).field("state", state(alert));
        page.field("released", moment(alert.released_at.as_ref())).field("answer by", moment(alert.deadline.as_ref()));
    }
    page.field("organisations", coverage.organisations.len().to_string());
    page.field("contacts", format!("{} ({} planned)", coverage.contacts, coverage.contacts_planned));
    page.field("notices", coverage.notices_total.to_string());
    page.field("states", in_words(&coverage.by_state)).field("languages", in_words(&coverage.languages));
    page.field("expansion complete", yes_no(coverage.contacts_planned >= coverage.contacts));
    page.heading("Channels").table(&channels(coverage));
    page.heading("Organisations").table(&organisations(coverage));
    if !coverage.notices.is_empty() {
        page.heading("Notices").table(&notices(coverage));
    }
    page.finish()
}

/// The table of channels.
pub(in crate::client) fn channels(coverage: &GetCoverageResponse) -> Table {
    let mut table = Table::new(["channel", "notices", "states"]);
    for channel in &coverage.channels {
        let notices: u32 = channel.by_state.values().sum();
        table.row([channel.channel.clone(), notices.to_string(), in_words(&channel.by_state)]);
    }
    table
}

/// The table of organisations.
pub(in crate::client) fn organisations(coverage: &GetCoverageResponse) -> Table {
    let mut table =
        Table::new(["organisation", "name", "contacts", "best state", "response", "responded", "handed to"]);
    for organisation in &coverage.organisations {
        table.row([
            organisation.organisation_id.clone(),
            organisation.name.clone(),
            organisation.contacts.to_string(),
            organisation.state.clone(),
            organisation.response.clone(),
            moment(organisation.responded_at.as_ref()),
            organisation.handed_to.clone(),
        ]);
    }
    table
}

/// The table of notices.
pub(in crate::client) fn notices(coverage: &GetCoverageResponse) -> Table {
    let mut table =
        Table::new(["contact", "organisation", "channel", "state", "language", "reason", "at", "due", "handed to"]);
    for notice in &coverage.notices {
        table.row([
            notice.contact_id.clone(),
            notice.organisation_id.clone(),
            notice.channel.clone(),
            notice.state.clone(),
            notice.language.clone(),
            notice.reason.clone(),
            moment(notice.at.as_ref()),
            moment(notice.due_at.as_ref()),
            notice.handed_to.clone(),
        ]);
    }
    table
}

/// Counts in words, in the order of their names.
pub(in crate::client) fn in_words(counts: &HashMap<String, u32>) -> String {
    let ordered: BTreeMap<_, _> = counts.iter().collect();
    ordered.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

//! What the demo shows at its end: coverage, one message of each channel as it arrived, and how long it took.

use std::collections::BTreeMap;

use tocsin_proto::dispatch::v1::GetCoverageResponse;

use super::receivers::{Receivers, to_staff};
use super::summary::Summary;
use super::tell::Tell;
use crate::output::{Table, clean};

/// How many organisations the table lists one by one.
const ORGANISATIONS_SHOWN: usize = 8;
/// How many lines of an e-mail are shown.
const MAIL_LINES_SHOWN: usize = 60;

/// Shows how far the alert got.
pub(super) fn coverage(coverage: &GetCoverageResponse, tell: Tell) {
    tell.heading("Coverage by channel");
    let mut table = Table::new(["channel", "notices", "states"]);
    for channel in &coverage.channels {
        let total: u32 = channel.by_state.values().sum();
        table.row([channel.channel.clone(), total.to_string(), in_words(channel.by_state.iter())]);
    }
    tell.line(&table.to_string());

    tell.heading("Coverage by organisation");
    let mut by_state: BTreeMap<&str, u32> = BTreeMap::new();
    for organisation in &coverage.organisations {
        *by_state.entry(&organisation.state).or_default() += 1;
    }
    let mut table = Table::new(["organisation", "name", "contacts", "best state", "response", "handed to"]);
    for organisation in coverage.organisations.iter().take(ORGANISATIONS_SHOWN) {
        table.row([
            organisation.organisation_id.clone(),
            organisation.name.clone(),
            organisation.contacts.to_string(),
            organisation.state.clone(),
            organisation.response.clone(),
            organisation.handed_to.clone(),
        ]);
    }
    tell.line(&table.to_string());
    let more = coverage.organisations.len().saturating_sub(ORGANISATIONS_SHOWN);
    let words = in_words(by_state.iter());
    tell.line(&format!("{} and {more} more; all {}: {words}", "  ...", coverage.organisations.len()));
}

fn in_words<K: std::fmt::Display, V: std::fmt::Display>(counts: impl Iterator<Item = (K, V)>) -> String {
    counts.map(|(state, count)| format!("{state} {count}")).collect::<Vec<_>>().join(", ")
}

/// Shows one message of each channel, as it arrived.
pub(super) fn samples(receivers: &Receivers, tell: Tell) {
    if let Some(mail) = receivers.mail.log().all().into_iter().find(|mail| !to_staff(&mail.item.to)) {
        tell.heading("One e-mail, as it arrived");
        let text = String::from_utf8_lossy(&mail.item.data);
        let lines: Vec<&str> = text.lines().collect();
        for line in lines.iter().take(MAIL_LINES_SHOWN) {
            tell.line(&format!("  | {}", clean(line)));
        }
        if lines.len() > MAIL_LINES_SHOWN {
            tell.line(&format!("  | ... {} lines more", lines.len() - MAIL_LINES_SHOWN));
        }
    }
    let texts = receivers.sms.log().all();
    if let Some(sms) = texts.iter().find(|sms| !sms.item.to.starts_with(super::receivers::STAFF_NUMBERS)) {
        tell.heading("One SMS, as it arrived");
        tell.line(&format!("  | to {}: {}", clean(&sms.item.to), clean(&sms.item.text)));
    }
    if let Some(webhook) = receivers.webhook.log().all().first() {
        tell.heading("One webhook, as it arrived");
        tell.line(&format!("  | POST https://{}{}", clean(&webhook.item.host), clean(&webhook.item.path)));
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let value = webhook.item.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            tell.line(&format!("  | {name}: {}", clean(value)));
        }
        tell.line(&format!("  | {}", clean(&String::from_utf8_lossy(&webhook.item.body))));
    }
}

/// Shows how long it took.
pub(super) fn times(summary: &Summary, tell: Tell) {
    tell.heading("How long it took");
    let seconds = &summary.seconds;
    tell.line(&format!("  submission to receipt   {:8.3} s", seconds.submit_to_receipt));
    if let (Some(first), Some(last)) = (seconds.release_to_first, seconds.release_to_last) {
        tell.line(&format!("  release to the first    {first:8.3} s"));
        tell.line(&format!("  release to the last     {last:8.3} s"));
    }
    let sinks = summary.sinks;
    tell.line(&format!(
        "  arrived: {} e-mails, {} SMS, {} webhooks, {} alerts over feeds",
        sinks.email, sinks.sms, sinks.webhook, summary.stream_received
    ));
}

/// Shows why the gate refused.
pub(super) fn refusals(refusals: &[String], tell: Tell) {
    tell.heading("The gate refused. Not publishing is a normal outcome. The reasons:");
    for refusal in refusals {
        tell.line(&format!("  - {}", clean(refusal)));
    }
}

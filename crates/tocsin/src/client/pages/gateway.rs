//! Gateways and suppressed addresses as operators read them.

use prost_types::Timestamp;
use tocsin_proto::notification::v1::{DegradedDestination, Gateway, MailSuppression, TestGatewayResponse};

use crate::output::{Page, Table, moment};

/// The most contacts that a table names of one destination; a program gets all.
const CONTACTS_SHOWN: usize = 3;

/// The table of gateways.
pub(in crate::client) fn table(gateways: &[Gateway]) -> Table {
    let mut table =
        Table::new(["channel", "gateway", "kind", "state", "on its way", "no receipt", "last took", "last failed"]);
    for gateway in gateways {
        let state = match moment(gateway.rests_until.as_ref()).as_str() {
            "" => gateway.state.clone(),
            until => format!("{} until {until}", gateway.state),
        };
        let failed = moment(gateway.last_failure_at.as_ref());
        table.row([
            gateway.channel.clone(),
            gateway.name.clone(),
            gateway.kind.clone(),
            state,
            gateway.in_flight.to_string(),
            if gateway.channel == "sms" { gateway.awaiting_receipts.to_string() } else { String::new() },
            moment(gateway.last_success_at.as_ref()),
            if failed.is_empty() { failed } else { format!("{failed} {}", gateway.last_failure_code) },
        ]);
    }
    table
}

/// The table of destinations that fail.
pub(in crate::client) fn degraded(destinations: &[DegradedDestination]) -> Table {
    let mut table = Table::new(["channel", "fails since", "failures", "contacts"]);
    for one in destinations {
        table.row([
            one.channel.clone(),
            moment(one.since.as_ref()),
            one.failures.to_string(),
            some_of(&one.contact_ids),
        ]);
    }
    table
}

/// Of what that list tells.
pub(in crate::client) fn seen(since: Option<&Timestamp>) -> String {
    format!("as the asked process has seen it since {}; another process may see others", moment(since))
}

fn some_of(contacts: &[String]) -> String {
    let shown = contacts.iter().take(CONTACTS_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match contacts.len().saturating_sub(CONTACTS_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// How a test went.
pub(in crate::client) fn tested(answer: &TestGatewayResponse) -> String {
    let mut page = Page::new();
    page.field("outcome", &answer.outcome).field("code", &answer.code);
    page.field("took", format!("{} ms", answer.milliseconds));
    page.finish()
}

/// The table of suppressions.
pub(in crate::client) fn suppressions(suppressions: &[MailSuppression]) -> Table {
    let mut table = Table::new(["contact", "kind", "detail", "since", "until"]);
    for one in suppressions {
        table.row([
            one.contact_id.clone(),
            one.kind.clone(),
            one.detail.clone(),
            moment(one.since.as_ref()),
            moment(one.until.as_ref()),
        ]);
    }
    table
}

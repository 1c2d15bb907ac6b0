//! Gateways and suppressed addresses as operators read them.

use tocsin_proto::notification::v1::{Gateway, MailSuppression, TestGatewayResponse};

use crate::output::{Page, Table, moment};

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

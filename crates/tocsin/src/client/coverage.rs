//! `tocsin alert coverage`: how far an alert got, once or again every second.

use std::io::IsTerminal as _;
use std::time::Duration;

use tocsin_proto::catalogue::Service;
use tocsin_proto::dispatch::v1::alert_service_client::AlertServiceClient;
use tocsin_proto::dispatch::v1::{GetCoverageRequest, GetCoverageResponse};

use super::pages::alert as page;
use super::{ANSWER_BYTES_MAX, Client, Repeat};
use crate::arguments::alert::Coverage;
use crate::exit::Failed;
use crate::output::{self, Form};

/// How often it is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Our own words to the terminal: clear it and begin at the top.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";
/// States in which a notice is still under way.
const UNDER_WAY: [&str; 2] = ["queued", "handed_to_gateway"];

/// Shows the coverage.
pub(super) async fn run(client: &Client, wanted: Coverage) -> Result<(), Failed> {
    let mut shown = String::new();
    loop {
        let message = GetCoverageRequest { alert: wanted.name.alert.clone(), notices: wanted.notices };
        let coverage = client
            .call(Service::Dispatch, Repeat::Safe, message, async |channel, request| {
                AlertServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX).get_coverage(request).await
            })
            .await?;
        let last = !wanted.watch || is_settled(&coverage);
        shown = show(client, &coverage, &shown, wanted.watch)?;
        if last {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Shows it unless it says the same as before; as JSON one line each time, so that a program can follow.
fn show(client: &Client, coverage: &GetCoverageResponse, before: &str, watch: bool) -> Result<String, Failed> {
    let text = match client.form {
        Form::Text => page::coverage(coverage),
        Form::Json => {
            let document = output::document("tocsin.dispatch.v1.GetCoverageResponse", coverage)?;
            if watch { document.to_string() } else { format!("{document:#}") }
        }
    };
    if text != before {
        if watch && client.form == Form::Text && std::io::stdout().is_terminal() {
            output::print(&format!("{CLEAR}{text}"));
        } else {
            output::print(&text);
        }
    }
    Ok(text)
}

/// Whether nothing is under way any more: every contact is planned for, and every notice has left.
pub(super) fn is_settled(coverage: &GetCoverageResponse) -> bool {
    let under_way: u32 = UNDER_WAY.iter().filter_map(|state| coverage.by_state.get(*state)).sum();
    coverage.contacts_planned >= coverage.contacts && under_way == 0
}

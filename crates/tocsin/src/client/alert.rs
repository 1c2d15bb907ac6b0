//! `tocsin alert`: the feed and the answers of members and partners, and coverage.

use tocsin_proto::catalogue::Service;
use tocsin_proto::dispatch::v1::alert_service_client::AlertServiceClient;
use tocsin_proto::dispatch::v1::{GetAlertRequest, ListAlertsRequest, ListAlertsResponse, RespondToAlertRequest};

use super::pages::alert as page;
use super::{ANSWER_BYTES_MAX, Client, Repeat, case, coverage, watch};
use crate::arguments::alert::AlertCommand;
use crate::exit::Failed;

/// Alerts asked for at once.
const PAGE_SIZE: u32 = 100;

/// Carries the command out.
pub(super) async fn run(client: &Client, command: AlertCommand) -> Result<(), Failed> {
    match command {
        AlertCommand::Watch(watch) => watch::run(client, watch).await,
        AlertCommand::List => list(client).await,
        AlertCommand::Show(name) => {
            let message = GetAlertRequest { alert: name.alert };
            let answer = client
                .call(Service::Dispatch, Repeat::Safe, message, async |channel, request| {
                    AlertServiceClient::new(channel).get_alert(request).await
                })
                .await?;
            client.answer("tocsin.dispatch.v1.GetAlertResponse", &answer, |it| {
                it.alert.as_ref().map(page::whole).unwrap_or_default()
            })
        }
        AlertCommand::Ack(name) => respond(client, name.alert, "acknowledged".to_owned()).await,
        AlertCommand::Respond(answer) => respond(client, answer.name.alert, answer.response).await,
        AlertCommand::Coverage(coverage) => coverage::run(client, coverage).await,
        AlertCommand::Release(release) => case::release(client, release).await,
    }
}

async fn list(client: &Client) -> Result<(), Failed> {
    let mut whole = ListAlertsResponse::default();
    loop {
        let message = ListAlertsRequest { page_size: PAGE_SIZE, page_token: whole.next_page_token };
        let part = client
            .call(Service::Dispatch, Repeat::Safe, message, async |channel, request| {
                AlertServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX).list_alerts(request).await
            })
            .await?;
        whole.alerts.extend(part.alerts);
        whole.next_page_token = part.next_page_token;
        if whole.next_page_token.is_empty() {
            break;
        }
    }
    client.answer("tocsin.dispatch.v1.ListAlertsResponse", &whole, |list| page::table(&list.alerts).to_string())
}

/// The same answer twice changes nothing, so it may be repeated.
async fn respond(client: &Client, alert: String, response: String) -> Result<(), Failed> {
    let answer = client
        .call(Service::Dispatch, Repeat::Safe, RespondToAlertRequest { alert, response }, async |channel, request| {
            AlertServiceClient::new(channel).respond_to_alert(request).await
        })
        .await?;
    client.answer("tocsin.dispatch.v1.RespondToAlertResponse", &answer, page::response)
}

//! `tocsin gateway` and `tocsin suppression`.

use tocsin_proto::catalogue::Service;
use tocsin_proto::notification::v1 as wire;
use tocsin_proto::notification::v1::gateway_service_client::GatewayServiceClient;
use tocsin_proto::notification::v1::mail_suppression_service_client::MailSuppressionServiceClient;

use super::pages::gateway as page;
use super::{Client, Repeat};
use crate::arguments::gateway::{GatewayCommand, SuppressionCommand};
use crate::arguments::paging::Paging;
use crate::exit::Failed;
use crate::output::{self, Form};

/// Asks one verb of a service of notification.
macro_rules! ask {
    ($client:expr, $service:ident, $repeat:expr, $verb:ident, $message:expr) => {
        $client
            .call(Service::Notification, $repeat, $message, async |channel, request| {
                $service::new(channel).$verb(request).await
            })
            .await
    };
}

/// Carries a command about gateways out.
pub(super) async fn run(client: &Client, command: GatewayCommand) -> Result<(), Failed> {
    match command {
        GatewayCommand::List => {
            let answer = ask!(client, GatewayServiceClient, Repeat::Safe, list_gateways, wire::ListGatewaysRequest {})?;
            client.answer("tocsin.notification.v1.ListGatewaysResponse", &answer, |list| {
                page::table(&list.gateways).to_string()
            })
        }
        GatewayCommand::Test(wanted) => {
            let message = wire::TestGatewayRequest { name: wanted.gateway, to: wanted.to, language: wanted.language };
            // Asked again it would be a second test.
            let answer = ask!(client, GatewayServiceClient, Repeat::Never, test_gateway, message)?;
            client.answer("tocsin.notification.v1.TestGatewayResponse", &answer, page::tested)?;
            super::contact::left(&answer.outcome, &answer.code, "the test")
        }
        GatewayCommand::Pause(wanted) => {
            let message = wire::PauseGatewayRequest { name: wanted.gateway, reason: wanted.reason };
            let answer = ask!(client, GatewayServiceClient, Repeat::Safe, pause_gateway, message)?;
            client.answer("tocsin.notification.v1.PauseGatewayResponse", &answer, |answer| {
                page::table(answer.gateway.as_slice()).to_string()
            })
        }
        GatewayCommand::Resume(wanted) => {
            let message = wire::ResumeGatewayRequest { name: wanted.gateway, reason: wanted.reason };
            let answer = ask!(client, GatewayServiceClient, Repeat::Safe, resume_gateway, message)?;
            client.answer("tocsin.notification.v1.ResumeGatewayResponse", &answer, |answer| {
                page::table(answer.gateway.as_slice()).to_string()
            })
        }
        GatewayCommand::Degraded(paging) => list_degraded(client, paging).await,
    }
}

async fn list_degraded(client: &Client, paging: Paging) -> Result<(), Failed> {
    let mut whole = wire::ListDegradedDestinationsResponse { next_page_token: paging.page, ..Default::default() };
    loop {
        let message =
            wire::ListDegradedDestinationsRequest { page_size: paging.limit, page_token: whole.next_page_token };
        let part = ask!(client, GatewayServiceClient, Repeat::Safe, list_degraded_destinations, message)?;
        whole.destinations.extend(part.destinations);
        (whole.next_page_token, whole.seen_since) = (part.next_page_token, part.seen_since);
        if !paging.all || whole.next_page_token.is_empty() {
            break;
        }
    }
    client.answer("tocsin.notification.v1.ListDegradedDestinationsResponse", &whole, |list| {
        page::degraded(&list.destinations).to_string()
    })?;
    if client.form == Form::Text {
        eprintln!("{}", page::seen(whole.seen_since.as_ref()));
    }
    client.tell_of_more(&whole.next_page_token);
    Ok(())
}

/// Carries a command about suppressed addresses out.
pub(super) async fn suppressions(client: &Client, command: SuppressionCommand) -> Result<(), Failed> {
    match command {
        SuppressionCommand::List(paging) => list_suppressions(client, paging).await,
        SuppressionCommand::Add(wanted) => {
            let message = wire::AddMailSuppressionRequest { contact_id: wanted.contact.clone(), reason: wanted.reason };
            ask!(client, MailSuppressionServiceClient, Repeat::Safe, add_mail_suppression, message)?;
            tell(client, &wanted.contact, true);
            Ok(())
        }
        SuppressionCommand::Remove(wanted) => {
            let message =
                wire::RemoveMailSuppressionRequest { contact_id: wanted.contact.clone(), reason: wanted.reason };
            ask!(client, MailSuppressionServiceClient, Repeat::Never, remove_mail_suppression, message)?;
            tell(client, &wanted.contact, false);
            Ok(())
        }
    }
}

fn tell(client: &Client, contact: &str, suppressed: bool) {
    match client.form {
        Form::Json => {
            output::print(&format!("{:#}", serde_json::json!({"contact_id": contact, "suppressed": suppressed})));
        }
        Form::Text if suppressed => output::print(&format!("no e-mail goes to {} any more", output::clean(contact))),
        Form::Text => output::print(&format!("e-mail goes to {} again", output::clean(contact))),
    }
}

async fn list_suppressions(client: &Client, paging: Paging) -> Result<(), Failed> {
    let mut whole = wire::ListMailSuppressionsResponse { next_page_token: paging.page, ..Default::default() };
    loop {
        let message = wire::ListMailSuppressionsRequest { page_size: paging.limit, page_token: whole.next_page_token };
        let part = ask!(client, MailSuppressionServiceClient, Repeat::Safe, list_mail_suppressions, message)?;
        whole.suppressions.extend(part.suppressions);
        whole.next_page_token = part.next_page_token;
        if !paging.all || whole.next_page_token.is_empty() {
            break;
        }
    }
    client.answer("tocsin.notification.v1.ListMailSuppressionsResponse", &whole, |list| {
        page::suppressions(&list.suppressions).to_string()
    })?;
    client.tell_of_more(&whole.next_page_token);
    Ok(())
}

//! `tocsin notice`: what people ask about notices, and what they do to them by hand.

use chrono::{DateTime, FixedOffset};
use prost_types::Timestamp;
use tocsin_proto::catalogue::Service;
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1 as wire;
use tocsin_proto::notification::v1::notice_service_client::NoticeServiceClient;

use super::pages::notice as page;
use super::{ANSWER_BYTES_MAX, Client, Repeat, input};
use crate::arguments::notice::{List, NoticeCommand, Redrive, Withdraw, Word};
use crate::arguments::paging::Paging;
use crate::exit::Failed;

/// Asks one verb of notification's `NoticeService`.
macro_rules! ask {
    ($client:expr, $repeat:expr, $verb:ident, $message:expr) => {
        $client
            .call(Service::Notification, $repeat, $message, async |channel, request| {
                NoticeServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX).$verb(request).await
            })
            .await
    };
}

/// Carries the command out.
pub(super) async fn run(client: &Client, command: NoticeCommand) -> Result<(), Failed> {
    match command {
        NoticeCommand::List(wanted) => list(client, wanted).await,
        NoticeCommand::Show(wanted) => {
            let message = wire::GetNoticeRequest { notice_id: wanted.notice };
            let answer = ask!(client, Repeat::Safe, get_notice, message)?;
            client.answer("tocsin.notification.v1.GetNoticeResponse", &answer, page::page)
        }
        NoticeCommand::Progress(wanted) => {
            let message = wire::GetNoticeProgressRequest { alert_id: wanted.alert };
            let answer = ask!(client, Repeat::Safe, get_notice_progress, message)?;
            client.answer("tocsin.notification.v1.GetNoticeProgressResponse", &answer, page::progress)
        }
        NoticeCommand::Redrive(wanted) => redrive(client, wanted).await,
        NoticeCommand::Withdraw(wanted) => withdraw(client, wanted).await,
        NoticeCommand::Changes(paging) => changes(client, paging).await,
    }
}

async fn list(client: &Client, wanted: List) -> Result<(), Failed> {
    let mut whole = wire::ListNoticesResponse { next_page_token: wanted.paging.page, ..Default::default() };
    loop {
        let message = wire::ListNoticesRequest {
            page_size: wanted.paging.limit,
            page_token: whole.next_page_token,
            alert_id: wanted.alert.clone(),
            state: wanted.state.clone(),
            contact_id: wanted.contact.clone(),
            organisation_id: wanted.organisation.clone(),
            channel: wanted.channel.clone(),
            lane: wanted.lane.clone(),
        };
        let part = ask!(client, Repeat::Safe, list_notices, message)?;
        whole.notices.extend(part.notices);
        whole.next_page_token = part.next_page_token;
        if !wanted.paging.all || whole.next_page_token.is_empty() {
            break;
        }
    }
    client
        .answer("tocsin.notification.v1.ListNoticesResponse", &whole, |list| page::table(&list.notices).to_string())?;
    client.tell_of_more(&whole.next_page_token);
    Ok(())
}

async fn changes(client: &Client, paging: Paging) -> Result<(), Failed> {
    let mut whole = wire::ListChangesResponse { next_page_token: paging.page, ..Default::default() };
    loop {
        let message = wire::ListChangesRequest { page_size: paging.limit, page_token: whole.next_page_token };
        let part = ask!(client, Repeat::Safe, list_changes, message)?;
        whole.changes.extend(part.changes);
        whole.next_page_token = part.next_page_token;
        if !paging.all || whole.next_page_token.is_empty() {
            break;
        }
    }
    client.answer("tocsin.notification.v1.ListChangesResponse", &whole, |list| {
        page::changes(&list.changes).to_string()
    })?;
    client.tell_of_more(&whole.next_page_token);
    Ok(())
}

/// Counts first and asks, unless it is one notice or nobody wants to be asked.
async fn redrive(client: &Client, wanted: Redrive) -> Result<(), Failed> {
    let selection = wire::NoticeSelection {
        notice_ids: wanted.notices,
        alert_id: wanted.alert.unwrap_or_default(),
        contact_id: wanted.contact.unwrap_or_default(),
        organisation_id: wanted.organisation.unwrap_or_default(),
        channel: wanted.channel.unwrap_or_default(),
        webhook_host: wanted.webhook_host.unwrap_or_default(),
        since: wanted.since.map(moment),
        until: wanted.until.map(moment),
    };
    let Word { reason, yes } = wanted.word;
    let message =
        |dry_run| wire::RedriveNoticesRequest { selection: Some(selection.clone()), reason: reason.clone(), dry_run };
    if !yes {
        let counted = ask!(client, Repeat::Safe, redrive_notices, message(true))?;
        let count = page::sum(&counted);
        if count > 1 {
            input::confirm(client.form, &format!("Send {count} notices again?"))?;
        }
    }
    // Asked again it does no more: what is queued by then has not ended.
    let answer = ask!(client, Repeat::Safe, redrive_notices, message(false))?;
    client.answer("tocsin.notification.v1.RedriveNoticesResponse", &answer, page::redriven)
}

async fn withdraw(client: &Client, wanted: Withdraw) -> Result<(), Failed> {
    let selection = wire::NoticeSelection {
        notice_ids: wanted.notices,
        alert_id: wanted.alert.unwrap_or_default(),
        contact_id: wanted.contact.unwrap_or_default(),
        organisation_id: wanted.organisation.unwrap_or_default(),
        ..wire::NoticeSelection::default()
    };
    let Word { reason, yes } = wanted.word;
    let message =
        |dry_run| wire::WithdrawNoticesRequest { selection: Some(selection.clone()), reason: reason.clone(), dry_run };
    if !yes {
        let counted = ask!(client, Repeat::Safe, withdraw_notices, message(true))?;
        let count = counted.withdrawn + counted.in_hand;
        if count > 1 {
            input::confirm(client.form, &format!("Withdraw {count} notices?"))?;
        }
    }
    let answer = ask!(client, Repeat::Safe, withdraw_notices, message(false))?;
    client.answer("tocsin.notification.v1.WithdrawNoticesResponse", &answer, page::withdrawn)
}

fn moment(at: DateTime<FixedOffset>) -> Timestamp {
    timestamp(at.to_utc())
}

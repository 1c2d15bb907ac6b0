//! `TestContact`: one test delivery, now, outside the engine; it leaves no notice.

use std::time::Instant;

use bytes::Bytes;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter};
use tocsin_domain::channel::Channel;
use tocsin_platform::failure::Failure;
use tocsin_proto::notification::v1::{TestContactRequest, TestContactResponse};
use uuid::Uuid;

use crate::channel::{Attempted, ChatMessage, Outcome, WebhookPost};
use crate::contact::Recipient;
use crate::entity::contact::{Column, Entity};
use crate::office::Office;
use crate::render::{chat, webhook};

pub(super) async fn test_contact(office: &Office, request: TestContactRequest) -> Result<TestContactResponse, Failure> {
    let invalid = |field: &str, description: String| {
        Failure::invalid("INVALID_REQUEST", "the test cannot be made from these fields").field(field, description)
    };
    let channel = match request.channel.as_str() {
        "" => Channel::Webhook,
        given => {
            given.parse().map_err(|error: <Channel as std::str::FromStr>::Err| invalid("channel", error.to_string()))?
        }
    };
    let id = request.contact_id;
    let mut found = office.directory.load(office.database.reader(), std::slice::from_ref(&id)).await?;
    let recipient = found.remove(&id).ok_or_else(super::unknown_contact)?;
    let started = Instant::now();
    let attempted = match channel {
        Channel::Webhook => by_webhook(office, &recipient).await?,
        Channel::Signal | Channel::Matrix => by_chat(office, &recipient, channel).await?,
        other => return Err(invalid("channel", format!("{other} has no test of its own yet: send a drill"))),
    };
    let milliseconds = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
    let delivered = matches!(attempted.outcome, Outcome::Taken { .. });
    let enabled_again = delivered && recipient.webhook_disabled;
    if enabled_again {
        use_again(office, &id).await?;
    }
    let (outcome, code) = told(attempted.outcome);
    Ok(TestContactResponse {
        channel: channel.as_str().to_owned(),
        outcome,
        code,
        milliseconds,
        answer: attempted.answer.unwrap_or_default(),
        enabled_again,
    })
}

async fn by_webhook(office: &Office, recipient: &Recipient) -> Result<Attempted, Failure> {
    let Some(url) = recipient.webhook.as_ref().filter(|_| !recipient.webhook_keys.is_empty()) else {
        return Err(super::no_webhook());
    };
    let (id, now) = (Uuid::now_v7().to_string(), office.clock.now());
    let post =
        WebhookPost { id: &id, timestamp_seconds: now.timestamp(), body: Bytes::from(webhook::test_body(&id, now)) };
    Ok(office.webhooks.send(url, &recipient.webhook_keys, post).await)
}

async fn by_chat(office: &Office, recipient: &Recipient, channel: Channel) -> Result<Attempted, Failure> {
    let to = if channel == Channel::Signal { &recipient.signal } else { &recipient.matrix };
    let Some(to) = to else {
        let message = format!("this contact has no address for {channel}; import it with one first");
        return Err(Failure::refused("NO_ADDRESS", message));
    };
    let (id, text) = (Uuid::now_v7().to_string(), chat::test_text(recipient.interface));
    Ok(office.messengers.send(channel, &ChatMessage { to, text: &text, id: &id }).await.into())
}

async fn use_again(office: &Office, contact_id: &str) -> Result<(), Failure> {
    let transaction = office.database.begin().await?;
    Entity::update_many()
        .col_expr(Column::WebhookDisabled, Expr::value(false))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::ContactId.eq(contact_id))
        .exec(&transaction)
        .await?;
    tocsin_platform::database::commit(transaction, "notification.use_webhook_again").await?;
    Ok(())
}

fn told(outcome: Outcome) -> (String, String) {
    let (outcome, code) = match outcome {
        Outcome::Taken { state, code, .. } => (state.as_str(), code),
        Outcome::Temporary { code, .. } => ("temporary", code),
        Outcome::Refused { code, .. } => ("refused", code),
        Outcome::Gone { code } => ("gone", code),
        Outcome::Withheld { reason: code, .. } | Outcome::Postponed { code, .. } => ("temporary", code.to_owned()),
    };
    (outcome.to_owned(), code)
}

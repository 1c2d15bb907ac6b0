//! `TestContact`: one test delivery, now, outside the engine; it leaves no notice.

use std::time::Instant;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter};
use tocsin_domain::channel::Channel;
use tocsin_platform::failure::Failure;
use tocsin_proto::notification::v1::{TestContactRequest, TestContactResponse};

use crate::changes::{self, By};
use crate::channel::Outcome;
use crate::entity::contact::{Column, Entity};
use crate::office::Office;
use crate::probe;
use crate::render::probe::Probe;
use crate::selection::channel;

pub(super) async fn test_contact(
    office: &Office,
    request: TestContactRequest,
    actor: &str,
) -> Result<TestContactResponse, Failure> {
    let channel = channel(&request.channel)?.unwrap_or(Channel::Webhook);
    let id = request.contact_id;
    let mut found = office.directory.load(office.database.reader(), std::slice::from_ref(&id)).await?;
    let recipient = found.remove(&id).ok_or_else(super::unknown_contact)?;
    let started = Instant::now();
    let attempted = probe::to_contact(office, &recipient, channel, Probe::Test).await?;
    let milliseconds = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
    let delivered = matches!(attempted.outcome, Outcome::Taken { .. });
    let enabled_again = delivered && channel == Channel::Webhook && recipient.webhook_disabled;
    if enabled_again {
        use_again(office, &id, actor).await?;
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

async fn use_again(office: &Office, contact_id: &str, actor: &str) -> Result<(), Failure> {
    let transaction = office.database.begin().await?;
    Entity::update_many()
        .col_expr(Column::WebhookDisabled, Expr::value(false))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::ContactId.eq(contact_id))
        .exec(&transaction)
        .await?;
    let by = By { actor, reason: "test_delivered" };
    let subject = format!("contact {contact_id}");
    changes::record(&transaction, office, &by, "contact.use_webhook_again", &subject).await?;
    tocsin_platform::database::commit(transaction, "notification.use_webhook_again").await?;
    Ok(())
}

/// An outcome in two words: how it ended, and the code.
pub(super) fn told(outcome: Outcome) -> (String, String) {
    let (outcome, code) = match outcome {
        Outcome::Taken { state, code, .. } => (state.as_str(), code),
        Outcome::Temporary { code, .. } => ("temporary", code),
        Outcome::Refused { code, .. } => ("refused", code),
        Outcome::Gone { code } => ("gone", code),
        Outcome::Withheld { reason: code, .. } | Outcome::Postponed { code, .. } => ("temporary", code.to_owned()),
    };
    (outcome.to_owned(), code)
}

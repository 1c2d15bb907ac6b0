//! `tocsin contact`: test deliveries and new webhook keys.

use tocsin_proto::catalogue::Service;
use tocsin_proto::notification::v1::contact_service_client::ContactServiceClient;
use tocsin_proto::notification::v1::{
    RotateWebhookKeysRequest, RotateWebhookKeysResponse, TestContactRequest, TestContactResponse,
};

use super::secret::SecretFile;
use super::{Client, Repeat};
use crate::arguments::contact::{ContactCommand, Rotate, Test};
use crate::exit::Failed;
use crate::output::{Page, moment};

/// Carries the command out.
pub(super) async fn run(client: &Client, command: ContactCommand) -> Result<(), Failed> {
    match command {
        ContactCommand::Test(wanted) => test(client, wanted).await,
        ContactCommand::Rotate(wanted) => rotate(client, wanted).await,
    }
}

async fn test(client: &Client, wanted: Test) -> Result<(), Failed> {
    let message = TestContactRequest { contact_id: wanted.contact, channel: wanted.channel };
    // Asked again it would be a second test.
    let answer = client
        .call(Service::Notification, Repeat::Never, message, async |channel, request| {
            ContactServiceClient::new(channel).test_contact(request).await
        })
        .await?;
    client.answer("tocsin.notification.v1.TestContactResponse", &answer, tested_page)
}

fn tested_page(answer: &TestContactResponse) -> String {
    let mut page = Page::new();
    page.field("channel", &answer.channel).field("outcome", &answer.outcome).field("code", &answer.code);
    page.field("took", format!("{} ms", answer.milliseconds)).field("answer", &answer.answer);
    if answer.enabled_again {
        page.heading("The webhook had been switched off and is used again.");
    }
    page.finish()
}

async fn rotate(client: &Client, wanted: Rotate) -> Result<(), Failed> {
    let mut file = wanted.save.as_deref().map(SecretFile::create).transpose()?;
    let message = RotateWebhookKeysRequest { contact_id: wanted.contact };
    let rotated = client
        .call(Service::Notification, Repeat::Never, message, async |channel, request| {
            ContactServiceClient::new(channel).rotate_webhook_keys(request).await
        })
        .await;
    let mut answer = match rotated {
        Ok(answer) => answer,
        Err(failed) => {
            // Nothing was written to it; left behind it would stand in the way of the next try.
            if let Some(path) = wanted.save.filter(|_| file.is_some()) {
                let _ = std::fs::remove_file(path);
            }
            return Err(failed);
        }
    };
    if let Some(file) = &mut file {
        file.write(&rotated_page(&answer))?;
        answer.webhook_secret.clear();
    }
    client.answer("tocsin.notification.v1.RotateWebhookKeysResponse", &answer, rotated_page)
}

fn rotated_page(answer: &RotateWebhookKeysResponse) -> String {
    let mut page = Page::new();
    page.field("secret", &answer.webhook_secret).field("public key", &answer.webhook_public_key);
    page.field("before signs until", moment(answer.before_signs_until.as_ref()));
    page.finish()
}

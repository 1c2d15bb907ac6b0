//! `tocsin contact`: seeing and adding contacts, proving and trying their addresses, and new webhook keys.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use serde_json::json;
use tocsin_proto::catalogue::Service;
use tocsin_proto::dispatch::v1::Organisation;
use tocsin_proto::notification::v1 as wire;
use tocsin_proto::notification::v1::contact_service_client::ContactServiceClient;

use super::pages::contact as page;
use super::secret::SecretFile;
use super::{ANSWER_BYTES_MAX, Client, Repeat, import, input};
use crate::arguments::contact::{Add, ContactCommand, List, Rotate, Test, Verify};
use crate::exit::{Exit, Failed};
use crate::files::{self, network};
use crate::output::{self, Form};

/// Asks one verb of notification's `ContactService`.
macro_rules! ask {
    ($client:expr, $repeat:expr, $verb:ident, $message:expr) => {
        $client
            .call(Service::Notification, $repeat, $message, async |channel, request| {
                ContactServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX).$verb(request).await
            })
            .await
    };
}

/// Carries the command out.
pub(super) async fn run(client: &Client, command: ContactCommand) -> Result<(), Failed> {
    match command {
        ContactCommand::List(wanted) => list(client, wanted).await,
        ContactCommand::Show(wanted) => {
            let message = wire::GetContactRequest { contact_id: wanted.contact, show_addresses: wanted.show_addresses };
            let answer = ask!(client, Repeat::Safe, get_contact, message)?;
            client.answer("tocsin.notification.v1.GetContactResponse", &answer, page::page)
        }
        ContactCommand::Add(wanted) => add(client, *wanted).await,
        ContactCommand::Verify(wanted) => verify(client, wanted).await,
        ContactCommand::Test(wanted) => test(client, wanted).await,
        ContactCommand::Rotate(wanted) => rotate(client, wanted).await,
    }
}

async fn list(client: &Client, wanted: List) -> Result<(), Failed> {
    let mut whole = wire::ListContactsResponse { next_page_token: wanted.paging.page, ..Default::default() };
    loop {
        let message = wire::ListContactsRequest {
            page_size: wanted.paging.limit,
            page_token: whole.next_page_token,
            organisation_id: wanted.organisation.clone(),
            unverified: wanted.unverified,
            show_addresses: wanted.show_addresses,
        };
        let part = ask!(client, Repeat::Safe, list_contacts, message)?;
        whole.contacts.extend(part.contacts);
        whole.next_page_token = part.next_page_token;
        if !wanted.paging.all || whole.next_page_token.is_empty() {
            break;
        }
    }
    client.answer("tocsin.notification.v1.ListContactsResponse", &whole, |list| {
        page::table(&list.contacts).to_string()
    })?;
    client.tell_of_more(&whole.next_page_token);
    Ok(())
}

/// notification first: dispatch must name nobody whom notification does not know.
async fn add(client: &Client, wanted: Add) -> Result<(), Failed> {
    let contact = wanted_contact(&wanted)?;
    let organisation = match contact.organisation_id.as_str() {
        "" => None,
        id => Some(import::find(client, id).await?),
    };
    let file = wanted.secrets.as_deref().map(SecretFile::create).transpose()?;
    let id = contact.contact_id.clone();
    let message = wire::ImportContactsRequest { contacts: vec![contact], only_new: true };
    // Asked again it would find the contact that it made, and its secrets are told once.
    let added = match ask!(client, Repeat::Never, import_contacts, message) {
        Ok(added) => added,
        Err(failed) => {
            forget(wanted.secrets, file.is_some());
            return Err(without_place(failed));
        }
    };
    import::keep(file, &added.secrets)?;
    if let Some(organisation) = organisation.filter(|one| !one.contact_ids.contains(&id)) {
        let mut contact_ids = organisation.contact_ids.clone();
        contact_ids.push(id.clone());
        let organisation = Organisation { contact_ids, ..organisation };
        import::replace(client, organisation).await.map_err(|failed| {
            failed.advise(
                "the contact is known by now, and its organisation does not name it yet: import the network again",
            )
        })?;
    }
    match client.form {
        Form::Json => output::print(&format!("{:#}", json!({"contact_id": id, "created": added.created}))),
        Form::Text => output::print(&format!("contact {} is added", output::clean(&id))),
    }
    Ok(())
}

/// One that was made for nothing would stand in the way of the next try.
fn forget(path: Option<PathBuf>, made: bool) {
    if let Some(path) = path.filter(|_| made) {
        let _ = std::fs::remove_file(path);
    }
}

fn wanted_contact(wanted: &Add) -> Result<wire::Contact, Failed> {
    if let Some(file) = &wanted.file {
        return Ok(network::read_contact(file, &wanted.organisation)?);
    }
    let openpgp_key = match &wanted.openpgp_key {
        Some(path) => files::read(path)?.text,
        None => String::new(),
    };
    Ok(wire::Contact {
        contact_id: wanted.contact.clone().unwrap_or_default(),
        organisation_id: wanted.organisation.clone(),
        role: wanted.role.clone(),
        language: wanted.language.clone(),
        time_zone: wanted.time_zone.clone(),
        email: wanted.email.clone(),
        phone: wanted.phone.clone(),
        webhook: wanted.webhook.clone(),
        channels: wanted.channels.clone(),
        quiet_hours: wanted.quiet_hours.clone(),
        urgent_overrides_quiet_hours: wanted.urgent_overrides_quiet_hours,
        webhook_secret: String::new(),
        openpgp_key,
        webhook_signatures: wanted.webhook_signatures.clone(),
        signal: wanted.signal.clone(),
        matrix: wanted.matrix.clone(),
    })
}

/// The service counts contacts; here there is one.
fn without_place(mut failed: Failed) -> Failed {
    for (field, _) in &mut failed.details.fields {
        if let Some(bare) = field.strip_prefix("contacts[0].") {
            *field = bare.to_owned();
        }
    }
    failed
}

/// Sends a code, and takes it back here where somebody can type it.
async fn verify(client: &Client, wanted: Verify) -> Result<(), Failed> {
    let Verify { contact, channel, code } = wanted;
    if let Some(code) = code {
        return confirm(client, contact, channel, code).await;
    }
    let message = wire::SendContactCodeRequest { contact_id: contact.clone(), channel: channel.clone() };
    let answer = ask!(client, Repeat::Never, send_contact_code, message)?;
    left(&answer.outcome, &answer.code, "the code")
        .map_err(|failed| failed.advise("mend what the answer says, and ask again in a minute"))?;
    client.answer("tocsin.notification.v1.SendContactCodeResponse", &answer, page::code_sent)?;
    if client.form == Form::Text && std::io::stdin().is_terminal() {
        let code = input::line("The six digits that the contact tells you: ")?;
        return confirm(client, contact, channel, code).await;
    }
    eprintln!("when the contact tells you the code, say it with --code");
    Ok(())
}

async fn confirm(client: &Client, contact: String, channel: String, code: String) -> Result<(), Failed> {
    let said = format!("the {channel} address of {contact} is verified");
    let message = wire::ConfirmContactCodeRequest { contact_id: contact, channel, code };
    let answer = ask!(client, Repeat::Never, confirm_contact_code, message)?;
    client.answer("tocsin.notification.v1.ConfirmContactCodeResponse", &answer, |_| output::clean(&said).into_owned())
}

async fn test(client: &Client, wanted: Test) -> Result<(), Failed> {
    let message = wire::TestContactRequest { contact_id: wanted.contact, channel: wanted.channel };
    // Asked again it would be a second test.
    let answer = ask!(client, Repeat::Never, test_contact, message)?;
    client.answer("tocsin.notification.v1.TestContactResponse", &answer, page::tested)?;
    left(&answer.outcome, &answer.code, "the test")
}

/// Fails when what was sent was not taken, so that a script sees it too.
pub(super) fn left(outcome: &str, code: &str, what: &str) -> Result<(), Failed> {
    if ["temporary", "refused", "gone"].contains(&outcome) {
        return Err(Failed::new(Exit::Refused, format!("{what} was not taken: {}", output::clean(code))));
    }
    Ok(())
}

async fn rotate(client: &Client, wanted: Rotate) -> Result<(), Failed> {
    let mut file = wanted.save.as_deref().map(SecretFile::create).transpose()?;
    let message = wire::RotateWebhookKeysRequest { contact_id: wanted.contact };
    let mut answer = match ask!(client, Repeat::Never, rotate_webhook_keys, message) {
        Ok(answer) => answer,
        Err(failed) => {
            forget(wanted.save, file.is_some());
            return Err(failed);
        }
    };
    if let Some(file) = &mut file {
        file.write(&page::rotated(&answer))?;
        answer.webhook_secret.clear();
    }
    client.answer("tocsin.notification.v1.RotateWebhookKeysResponse", &answer, page::rotated)
}

//! `tocsin org` and `tocsin staff`: importing who is in the network, each half to the service that holds it.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use tocsin_proto::catalogue::Service;
use tocsin_proto::dispatch::v1::organisation_service_client::OrganisationServiceClient;
use tocsin_proto::dispatch::v1::{
    ImportOrganisationsRequest, ListOrganisationsRequest, ListOrganisationsResponse, Organisation,
};
use tocsin_proto::notification::v1::contact_service_client::ContactServiceClient;
use tocsin_proto::notification::v1::{Contact, ContactSecret, ImportContactsRequest};

use super::secret::SecretFile;
use super::{ANSWER_BYTES_MAX, Client, Repeat, key};
use crate::arguments::network::{Import, OrganisationCommand, StaffCommand};
use crate::exit::{Exit, Failed};
use crate::files::network::{Network, Staff};
use crate::output::{self, Form, Table};

/// Sent in one request, so that each stays far below the size limit and its transaction stays short.
const CHUNK: usize = 200;
/// Organisations asked for at once.
const PAGE_SIZE: u32 = 500;

/// Carries a command about organisations out.
pub(super) async fn organisations(client: &Client, command: OrganisationCommand) -> Result<(), Failed> {
    match command {
        OrganisationCommand::Import(import) => {
            let network = Network::read(&import.file)?;
            self::import(client, &import, &network.organisations(), &network.contacts()).await
        }
        OrganisationCommand::List => list(client).await,
        OrganisationCommand::Key(wanted) => key::issue_to_delegate(client, wanted).await,
    }
}

/// Carries a command about staff out.
pub(super) async fn staff(client: &Client, command: StaffCommand) -> Result<(), Failed> {
    let StaffCommand::Import(import) = command;
    let staff = Staff::read(&import.file)?;
    self::import(client, &import, &[], &staff.contacts()).await
}

/// What an import did to one kind of thing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) struct Counts {
    pub(super) created: u32,
    pub(super) changed: u32,
    pub(super) unchanged: u32,
}

impl Counts {
    fn add(&mut self, created: u32, changed: u32, unchanged: u32) {
        self.created += created;
        self.changed += changed;
        self.unchanged += unchanged;
    }
}

/// Contacts go first: dispatch must name nobody whom notification does not know.
async fn import(
    client: &Client,
    arguments: &Import,
    organisations: &[Organisation],
    contacts: &[Contact],
) -> Result<(), Failed> {
    let file = arguments.secrets.as_deref().map(SecretFile::create).transpose()?;
    tell_who_goes(client, organisations).await?;
    let bar = progress(organisations.len() + contacts.len());
    let (contact_counts, secrets) = import_contacts(client, contacts, &bar).await;
    // What was made before a failure is told too: it cannot be asked for again.
    keep(file, &secrets)?;
    let contact_counts = contact_counts?;
    let organisation_counts = import_organisations(client, organisations, &bar).await?;
    bar.finish_and_clear();
    tell(client.form, (!organisations.is_empty()).then_some(organisation_counts), contact_counts);
    Ok(())
}

/// An organisation's contacts are those of the file: whoever was added one by one since is no longer alerted.
async fn tell_who_goes(client: &Client, organisations: &[Organisation]) -> Result<(), Failed> {
    if organisations.is_empty() {
        return Ok(());
    }
    for known in all(client).await?.organisations {
        let Some(new) = organisations.iter().find(|one| one.organisation_id == known.organisation_id) else { continue };
        for contact in known.contact_ids.iter().filter(|id| !new.contact_ids.contains(id)) {
            let (contact, organisation) = (output::clean(contact), output::clean(&known.organisation_id));
            eprintln!(
                "warning: the file does not name contact {contact} of organisation {organisation}, who will not be \
                 alerted any more; to keep them, add them to the file and import it again"
            );
        }
    }
    Ok(())
}

fn progress(length: usize) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(length as u64), target);
    match ProgressStyle::with_template("{msg:<14} {bar:40} {pos}/{len}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

async fn import_contacts(
    client: &Client,
    contacts: &[Contact],
    bar: &ProgressBar,
) -> (Result<Counts, Failed>, Vec<ContactSecret>) {
    bar.set_message("contacts");
    let (mut counts, mut secrets) = (Counts::default(), Vec::new());
    for (index, chunk) in contacts.chunks(CHUNK).enumerate() {
        let message = ImportContactsRequest { contacts: chunk.to_vec(), only_new: false };
        let sent = client
            .call(Service::Notification, Repeat::Safe, message, async |channel, request| {
                ContactServiceClient::new(channel).import_contacts(request).await
            })
            .await;
        match sent {
            Ok(answer) => {
                counts.add(answer.created, answer.changed, answer.unchanged);
                secrets.extend(answer.secrets);
            }
            Err(failed) => {
                let ids: Vec<&str> = chunk.iter().map(|contact| contact.contact_id.as_str()).collect();
                return (Err(in_chunk(failed, "contacts", index, &ids)), secrets);
            }
        }
        bar.inc(chunk.len() as u64);
    }
    (Ok(counts), secrets)
}

async fn import_organisations(
    client: &Client,
    organisations: &[Organisation],
    bar: &ProgressBar,
) -> Result<Counts, Failed> {
    bar.set_message("organisations");
    let mut counts = Counts::default();
    for (index, chunk) in organisations.chunks(CHUNK).enumerate() {
        let message = ImportOrganisationsRequest { organisations: chunk.to_vec() };
        let answer = client
            .call(Service::Dispatch, Repeat::Safe, message, async |channel, request| {
                OrganisationServiceClient::new(channel).import_organisations(request).await
            })
            .await
            .map_err(|failed| {
                let ids: Vec<&str> = chunk.iter().map(|it| it.organisation_id.as_str()).collect();
                in_chunk(failed, "organisations", index, &ids)
            })?;
        counts.add(answer.created, answer.changed, answer.unchanged);
        bar.inc(chunk.len() as u64);
    }
    Ok(counts)
}

/// A service counts from the start of its request; people count from the start of the file. The id says which is meant.
pub(super) fn in_chunk(mut failed: Failed, list: &str, chunk: usize, ids: &[&str]) -> Failed {
    for (field, _) in &mut failed.details.fields {
        let Some((number, rest)) = field.strip_prefix(list).and_then(|rest| rest.strip_prefix('[')?.split_once(']'))
        else {
            continue;
        };
        if let Ok(index) = number.parse::<usize>() {
            let id = ids.get(index).map(|id| format!(" ({id})")).unwrap_or_default();
            *field = format!("{list}[{}]{rest}{id}", chunk * CHUNK + index);
        }
    }
    failed
}

/// Keeps what was made for new contacts in the file, or says that nobody kept it.
pub(super) fn keep(file: Option<SecretFile>, secrets: &[ContactSecret]) -> Result<(), Failed> {
    match file {
        Some(mut file) => {
            let list: Vec<_> = secrets
                .iter()
                .map(|it| {
                    json!({
                        "contact_id": it.contact_id,
                        "shared_word": it.shared_word,
                        "webhook_secret": it.webhook_secret,
                        "webhook_public_key": it.webhook_public_key,
                    })
                })
                .collect();
            file.write(&format!("{:#}\n", json!(list)))
        }
        None if secrets.is_empty() => Ok(()),
        None => {
            eprintln!(
                "warning: shared words and webhook secrets were made for {} contacts and were to be told once; without \
                 --secrets FILE nobody has them. Webhook keys are made anew by `tocsin contact rotate`",
                secrets.len()
            );
            Ok(())
        }
    }
}

fn tell(form: Form, organisations: Option<Counts>, contacts: Counts) {
    match form {
        Form::Json => output::print(&format!("{:#}", json!({"organisations": organisations, "contacts": contacts}))),
        Form::Text => output::print(&counts_table(organisations, contacts).to_string()),
    }
}

/// The table of what an import did.
pub(super) fn counts_table(organisations: Option<Counts>, contacts: Counts) -> Table {
    let mut table = Table::new(["imported", "created", "changed", "unchanged"]);
    let rows = [organisations.map(|counts| ("organisations", counts)), Some(("contacts", contacts))];
    for (name, counts) in rows.into_iter().flatten() {
        table.row([name.into(), counts.created.to_string(), counts.changed.to_string(), counts.unchanged.to_string()]);
    }
    table
}

/// The organisation of an id.
pub(super) async fn find(client: &Client, id: &str) -> Result<Organisation, Failed> {
    let whole = all(client).await?;
    whole.organisations.into_iter().find(|one| one.organisation_id == id).ok_or_else(|| {
        Failed::new(Exit::NotFound, format!("there is no organisation {}", output::clean(id)))
            .advise("`tocsin org list` shows them; a new one comes by `tocsin org import`")
    })
}

/// Replaces one organisation.
pub(super) async fn replace(client: &Client, organisation: Organisation) -> Result<(), Failed> {
    import_organisations(client, &[organisation], &ProgressBar::hidden()).await.map(|_| ())
}

async fn list(client: &Client) -> Result<(), Failed> {
    let whole = all(client).await?;
    client.answer("tocsin.dispatch.v1.ListOrganisationsResponse", &whole, |list| organisation_table(list).to_string())
}

async fn all(client: &Client) -> Result<ListOrganisationsResponse, Failed> {
    let mut whole = ListOrganisationsResponse::default();
    loop {
        let message = ListOrganisationsRequest { page_size: PAGE_SIZE, page_token: whole.next_page_token };
        let part = client
            .call(Service::Dispatch, Repeat::Safe, message, async |channel, request| {
                let service = OrganisationServiceClient::new(channel);
                service.max_decoding_message_size(ANSWER_BYTES_MAX).list_organisations(request).await
            })
            .await?;
        whole.organisations.extend(part.organisations);
        whole.next_page_token = part.next_page_token;
        if whole.next_page_token.is_empty() {
            return Ok(whole);
        }
    }
}

/// The table of organisations.
pub(super) fn organisation_table(list: &ListOrganisationsResponse) -> Table {
    let mut table =
        Table::new(["organisation", "name", "kind", "country", "region", "language", "clearance", "from", "contacts"]);
    for organisation in &list.organisations {
        let subscription = organisation.subscription.clone().unwrap_or_default();
        table.row([
            organisation.organisation_id.clone(),
            organisation.name.clone(),
            organisation.kind.clone(),
            organisation.country.clone(),
            organisation.region.clone(),
            organisation.language.clone(),
            organisation.clearance.clone(),
            subscription.minimum_priority,
            organisation.contact_ids.len().to_string(),
        ]);
    }
    table
}

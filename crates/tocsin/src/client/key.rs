//! `tocsin key` and `tocsin org key`: issuing, revoking and listing keys.

use std::path::PathBuf;

use tocsin_proto::catalogue::Service;
use tocsin_proto::convert::timestamp;
use tocsin_proto::triage::v1::key_service_client::KeyServiceClient;
use tocsin_proto::triage::v1::{
    IssueKeyRequest, IssueKeyResponse, Key, ListKeysRequest, ListKeysResponse, RevokeKeyRequest,
};

use super::secret::SecretFile;
use super::{ANSWER_BYTES_MAX, Client, Repeat};
use crate::arguments::key::{Issue, KeyCommand};
use crate::arguments::network::OrganisationKey;
use crate::exit::Failed;
use crate::output::{Page, Table, moment};

/// Keys asked for at once.
const PAGE_SIZE: u32 = 500;

/// Carries the command out.
pub(super) async fn run(client: &Client, command: KeyCommand) -> Result<(), Failed> {
    match command {
        KeyCommand::Issue(issue) => self::issue(client, issue).await,
        KeyCommand::Revoke(revoke) => self::revoke(client, revoke.key_id).await,
        KeyCommand::List => list(client).await,
    }
}

async fn issue(client: &Client, issue: Issue) -> Result<(), Failed> {
    let expires_at = match issue.expires_in {
        None => None,
        Some(span) => {
            let end = client.clock.now().checked_add_signed(span);
            Some(timestamp(end.ok_or_else(|| Failed::usage("--expires-in ends after every calendar"))?))
        }
    };
    let key = Key {
        actor_id: issue.actor,
        name: issue.name,
        roles: issue.roles,
        organisation_id: issue.organisation.unwrap_or_default(),
        country: issue.country.unwrap_or_default(),
        expires_at,
        ..Key::default()
    };
    issue_key(client, key, issue.save).await
}

/// A key for the delegate of an organisation.
pub(super) async fn issue_to_delegate(client: &Client, wanted: OrganisationKey) -> Result<(), Failed> {
    let key = Key {
        actor_id: format!("{}-delegate", wanted.organisation),
        name: wanted.name.unwrap_or_else(|| format!("Delegate of {}", wanted.organisation)),
        roles: vec!["signatory_delegate".to_owned()],
        organisation_id: wanted.organisation,
        ..Key::default()
    };
    issue_key(client, key, wanted.save).await
}

async fn issue_key(client: &Client, key: Key, save: Option<PathBuf>) -> Result<(), Failed> {
    let mut file = save.as_deref().map(SecretFile::create).transpose()?;
    let message = IssueKeyRequest { key: Some(key) };
    let issued = client
        .call(Service::Triage, Repeat::Never, message, async |channel, request| {
            KeyServiceClient::new(channel).issue_key(request).await
        })
        .await;
    let mut answer = match (issued, save) {
        (Ok(answer), _) => answer,
        (Err(failed), path) => {
            // Nothing was written to it; left behind it would stand in the way of the next try.
            if let Some(path) = path.filter(|_| file.is_some()) {
                let _ = std::fs::remove_file(path);
            }
            return Err(failed);
        }
    };
    if let Some(file) = &mut file {
        file.write(&format!("{}\n", answer.secret))?;
        answer.secret.clear();
    }
    client.answer("tocsin.triage.v1.IssueKeyResponse", &answer, issued_page)
}

fn issued_page(answer: &IssueKeyResponse) -> String {
    let mut page = Page::new();
    if let Some(key) = &answer.key {
        about(&mut page, key);
    }
    if answer.secret.is_empty() {
        page.heading("The key is in the file that you named.");
    } else {
        page.field("secret", &answer.secret);
        page.heading("The secret is shown once and kept nowhere. Hand it over on a safe road.");
    }
    page.finish()
}

fn about(page: &mut Page, key: &Key) {
    page.field("key", &key.key_id).field("actor", &key.actor_id).field("name", &key.name).list("roles", &key.roles);
    page.field("organisation", &key.organisation_id).field("country", &key.country);
    page.field("created", moment(key.created_at.as_ref())).field("expires", moment(key.expires_at.as_ref()));
    page.field("revoked", moment(key.revoked_at.as_ref()));
}

async fn revoke(client: &Client, key_id: String) -> Result<(), Failed> {
    if key_id.starts_with("tcs_") {
        return Err(Failed::usage("that is the secret of a key, not its id")
            .advise("`tocsin key list` shows ids; a secret that stood on a command line is best revoked"));
    }
    let answer = client
        .call(Service::Triage, Repeat::Safe, RevokeKeyRequest { key_id }, async |channel, request| {
            KeyServiceClient::new(channel).revoke_key(request).await
        })
        .await?;
    client.answer("tocsin.triage.v1.RevokeKeyResponse", &answer, |answer| {
        let mut page = Page::new();
        if let Some(key) = &answer.key {
            about(&mut page, key);
        }
        page.finish()
    })
}

async fn list(client: &Client) -> Result<(), Failed> {
    let mut whole = ListKeysResponse::default();
    loop {
        let message = ListKeysRequest { page_size: PAGE_SIZE, page_token: whole.next_page_token };
        let part = client
            .call(Service::Triage, Repeat::Safe, message, async |channel, request| {
                KeyServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX).list_keys(request).await
            })
            .await?;
        whole.keys.extend(part.keys);
        whole.next_page_token = part.next_page_token;
        if whole.next_page_token.is_empty() {
            break;
        }
    }
    client.answer("tocsin.triage.v1.ListKeysResponse", &whole, |list| key_table(list).to_string())
}

/// The table of keys.
pub(super) fn key_table(list: &ListKeysResponse) -> Table {
    let mut table = Table::new(["key", "actor", "name", "roles", "organisation", "expires", "revoked"]);
    for key in &list.keys {
        table.row([
            key.key_id.clone(),
            key.actor_id.clone(),
            key.name.clone(),
            key.roles.join(","),
            key.organisation_id.clone(),
            moment(key.expires_at.as_ref()),
            moment(key.revoked_at.as_ref()),
        ]);
    }
    table
}

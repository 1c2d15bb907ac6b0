//! What an administrator does first: a key for everybody, the network, and a key taken back.

use tocsin_proto::dispatch::v1::ImportOrganisationsRequest;
use tocsin_proto::notification::v1::{ImportContactsRequest, RotateWebhookKeysRequest};
use tocsin_proto::triage::v1::{IssueKeyRequest, Key, ListCasesRequest, ListKeysRequest, RevokeKeyRequest};
use tocsin_tests::cast::Cast;
use tocsin_tests::clients::{Clients, bearing};
use tocsin_tests::installation::Installation;
use tocsin_tests::network::{Network, staff};
use tocsin_tests::process::wait_until;
use tocsin_tests::stage::DUTY_ROSTER;
use tocsin_tests::{Outcome, Trouble};
use tonic::Code;

use super::clients::{PATIENCE, People, ask, ask_again};
use super::mortal::Mortal;
use super::places;

/// Where a new key is told in the output of a process.
const KEY_MARK: &str = "tcs_";

/// The key of the first administrator: of those that were told, the one that opens. One that was told by a process
/// which died before its commit opens nothing.
async fn administrator(installation: &Installation, clients: &Clients) -> Outcome<String> {
    wait_until("a told key opens", PATIENCE, async || {
        let told = std::fs::read_to_string(installation.logs().join("up.out"))?;
        for key in told.lines().filter(|line| line.starts_with(KEY_MARK)) {
            let request = bearing(key, ListKeysRequest { page_size: 1, page_token: String::new() })?;
            if clients.keys.clone().list_keys(request).await.is_ok() {
                return Ok(Some(key.to_owned()));
            }
        }
        Ok(None)
    })
    .await
}

/// Does all that while the process dies at each commit of it.
pub(super) async fn people<'a>(
    installation: &'a Installation,
    network: &Network,
    process: &mut Mortal<'_>,
) -> Outcome<People<'a>> {
    let clients = Clients::of(&installation.doors)?;
    let administrator = administrator(installation, &clients).await?;
    let office = Administration { clients: &clients, secret: &administrator };
    let (mut keys, mut revoked) = (Vec::new(), Vec::new());
    let round = async || {
        office.import(network).await?;
        office.rotate(network).await?;
        keys.push(office.issue("staff-visitor", "coordinator", "").await?.0);
        let (secret, id) = office.issue("staff-leaver", "coordinator", "").await?;
        office.revoke(&id).await?;
        revoked.push(secret);
        Ok(())
    };
    process.walk(places::ADMINISTRATION, round).await?;
    let staff = async |actor: &str, role: &str| office.issue(actor, role, "").await.map(|(secret, _)| secret);
    let cast = Cast {
        administrator: administrator.clone(),
        coordinator: staff("staff-coordinator", "coordinator").await?,
        verifier: staff("staff-verifier", "verifier").await?,
        approvers: [staff("staff-approver-1", "approver").await?, staff("staff-approver-2", "approver").await?],
    };
    let delegate = office.issue("org-001-delegate", "signatory_delegate", "org-001").await?.0;
    let operator = staff("staff-operator", "operator").await?;
    let people = People::new(installation, cast, delegate, operator)?;
    people.ledger.borrow_mut().keys = keys;
    people.ledger.borrow_mut().revoked = revoked;
    Ok(people)
}

/// The administrator at work.
struct Administration<'a> {
    clients: &'a Clients,
    secret: &'a str,
}

impl Administration<'_> {
    async fn import(&self, network: &Network) -> Outcome<()> {
        let request = ImportOrganisationsRequest { organisations: network.organisations() };
        let call = async |request| self.clients.organisations.clone().import_organisations(request).await;
        ask_again("importing organisations", self.secret, request, call).await?;
        let contacts = DUTY_ROSTER.into_iter().chain(["staff-coordinator"]).map(staff);
        let contacts = network.contacts().into_iter().chain(contacts).collect();
        let request = ImportContactsRequest { contacts, only_new: false };
        let call = async |request| self.clients.contacts.clone().import_contacts(request).await;
        ask_again("importing contacts", self.secret, request, call).await.map(|_| ())
    }

    /// New keys for the first webhook of the network; those before sign too, however often it is asked.
    async fn rotate(&self, network: &Network) -> Outcome<()> {
        let contact = network.contacts().into_iter().find(|contact| !contact.webhook.is_empty());
        let contact = contact.ok_or_else(|| Trouble::new("the network has no webhook"))?;
        let request = RotateWebhookKeysRequest { contact_id: contact.contact_id };
        let call = async |request| self.clients.contacts.clone().rotate_webhook_keys(request).await;
        ask_again("rotating keys", self.secret, request, call).await.map(|_| ())
    }

    /// A key with its id. One whose answer was cut off is in nobody's hands; another one is issued.
    async fn issue(&self, actor: &str, role: &str, organisation: &str) -> Outcome<(String, String)> {
        let key = Key {
            actor_id: actor.to_owned(),
            name: actor.to_owned(),
            roles: vec![role.to_owned()],
            organisation_id: organisation.to_owned(),
            ..Key::default()
        };
        let call = async |request| self.clients.keys.clone().issue_key(request).await;
        let issued = ask_again("issuing a key", self.secret, IssueKeyRequest { key: Some(key) }, call).await?;
        Ok((issued.secret, issued.key.unwrap_or_default().key_id))
    }

    async fn revoke(&self, id: &str) -> Outcome<()> {
        let call = async |request| self.clients.keys.clone().revoke_key(request).await;
        let request = RevokeKeyRequest { key_id: id.to_owned() };
        ask("revoking a key", self.secret, request, call).await.map(|_| ())
    }
}

/// Whether a key is refused as unknown or ended, which is an answer, while a process that is away gives none.
pub(super) async fn is_refused(clients: &Clients, secret: &str) -> Outcome<bool> {
    wait_until("a key is judged", PATIENCE, async || {
        let request = bearing(secret, ListCasesRequest { page_size: 1, ..ListCasesRequest::default() })?;
        match clients.cases.clone().list_cases(request).await {
            Ok(_) => Ok(Some(false)),
            Err(status) if status.code() == Code::Unauthenticated => Ok(Some(true)),
            Err(status) => Err(Trouble::from(status)),
        }
    })
    .await
}

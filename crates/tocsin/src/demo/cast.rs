//! The people of the demo: an administrator, a coordinator, a verifier, two approvers, and a delegate for each
//! organisation. Each holds a key of its own and may do only what that role may.

use futures::stream::{StreamExt, TryStreamExt};
use tocsin_proto::notification::v1::Contact;
use tocsin_proto::triage::v1::{IssueKeyRequest, Key, key_service_client::KeyServiceClient};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::DemoError;
use super::receivers::{STAFF_DOMAIN, STAFF_NUMBERS};
use crate::files::network::Network;

/// Someone with a key.
#[derive(Clone)]
pub(super) struct Player {
    /// The opaque id of the actor.
    pub(super) actor: String,
    /// The secret of the key.
    pub(super) secret: String,
}

/// Everybody who acts in the demo.
pub(super) struct Cast {
    pub(super) administrator: Player,
    pub(super) coordinator: Player,
    pub(super) verifier: Player,
    pub(super) approvers: [Player; 2],
    pub(super) delegates: Vec<Player>,
}

/// The contacts that are paged when a report comes in, in order of escalation.
pub(super) const DUTY_ROSTER: [&str; 2] = ["staff-duty-1", "staff-duty-2"];
/// The coordinator's actor id, which is also the contact that is paged when a notice finally failed.
const COORDINATOR: &str = "staff-coordinator";
/// Keys issued at the same time; each waits for a durable commit.
const KEYS_IN_FLIGHT: usize = 16;

impl Cast {
    /// Issues a key to everybody, with the administrator's key from the first start.
    pub(super) async fn assemble(triage: Channel, administrator: Player, network: &Network) -> Result<Self, DemoError> {
        let office = KeyOffice { client: KeyServiceClient::new(triage), administrator: administrator.clone() };
        let staff = async |actor: &str, name: &str, role: &str| {
            office
                .issue(Key { actor_id: actor.into(), name: name.into(), roles: vec![role.into()], ..Key::default() })
                .await
        };
        let coordinator = staff(COORDINATOR, "Coordinator of the demo", "coordinator").await?;
        let verifier = staff("staff-verifier", "Verifier of the demo", "verifier").await?;
        let approvers = [
            staff("staff-approver-1", "First approver of the demo", "approver").await?,
            staff("staff-approver-2", "Second approver of the demo", "approver").await?,
        ];
        let delegates = futures::stream::iter(network.organisations())
            .map(|organisation| {
                let role = if organisation.kind == "partner" { "partner_desk" } else { "signatory_delegate" };
                let key = Key {
                    actor_id: format!("{}-delegate", organisation.organisation_id),
                    name: format!("Delegate of {}", organisation.organisation_id),
                    roles: vec![role.to_owned()],
                    organisation_id: organisation.organisation_id,
                    country: organisation.country,
                    ..Key::default()
                };
                office.issue(key)
            })
            .buffered(KEYS_IN_FLIGHT)
            .try_collect()
            .await?;
        Ok(Self { administrator, coordinator, verifier, approvers, delegates })
    }
}

struct KeyOffice {
    client: KeyServiceClient<Channel>,
    administrator: Player,
}

impl KeyOffice {
    async fn issue(&self, key: Key) -> Result<Player, DemoError> {
        let actor = key.actor_id.clone();
        let request = bearing(&self.administrator.secret, IssueKeyRequest { key: Some(key) })?;
        let issued = self.client.clone().issue_key(request).await?.into_inner();
        Ok(Player { actor, secret: issued.secret })
    }
}

/// The staff's contact points, for pages.
pub(super) fn staff_contacts() -> Vec<Contact> {
    let contact = |(number, id): (usize, &str)| Contact {
        contact_id: id.to_owned(),
        role: "duty".to_owned(),
        language: "en".to_owned(),
        time_zone: "Etc/GMT+0".to_owned(),
        email: format!("{id}@{STAFF_DOMAIN}"),
        phone: format!("{STAFF_NUMBERS}{:04}", 100 + number),
        channels: vec!["email".to_owned(), "sms".to_owned()],
        urgent_overrides_quiet_hours: true,
        ..Contact::default()
    };
    DUTY_ROSTER.into_iter().chain([COORDINATOR]).enumerate().map(contact).collect()
}

/// A request that carries a key.
pub(super) fn bearing<T>(secret: &str, message: T) -> Result<Request<T>, Status> {
    let mut request = Request::new(message);
    let value = MetadataValue::try_from(format!("Bearer {secret}"))
        .map_err(|_| Status::invalid_argument("the key holds characters that no key has"))?;
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}

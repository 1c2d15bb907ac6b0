//! The people of a journey, each with a key of their own that may do only what their role may.

use tocsin_proto::triage::v1::{IssueKeyRequest, Key};

use crate::Outcome;
use crate::clients::{Clients, bearing};

/// Everybody who takes a case to its release; the texts are secrets of keys.
#[derive(Debug, Clone)]
pub struct Cast {
    /// Issues keys and imports the network.
    pub administrator: String,
    /// Owns the case.
    pub coordinator: String,
    /// Records sources.
    pub verifier: String,
    /// Two people who approve.
    pub approvers: [String; 2],
}

impl Cast {
    /// Issues a key to everybody with the administrator's.
    pub async fn assemble(clients: &Clients, administrator: &str) -> Outcome<Self> {
        let staff = async |actor: &str, role: &str| {
            let key = Key { actor_id: actor.into(), name: actor.into(), roles: vec![role.into()], ..Key::default() };
            issue(clients, administrator, key).await
        };
        Ok(Self {
            administrator: administrator.to_owned(),
            coordinator: staff("staff-coordinator", "coordinator").await?,
            verifier: staff("staff-verifier", "verifier").await?,
            approvers: [staff("staff-approver-1", "approver").await?, staff("staff-approver-2", "approver").await?],
        })
    }
}

/// Issues a key and returns its secret.
pub async fn issue(clients: &Clients, administrator: &str, key: Key) -> Outcome<String> {
    let request = bearing(administrator, IssueKeyRequest { key: Some(key) })?;
    Ok(clients.keys.clone().issue_key(request).await?.into_inner().secret)
}

/// A key for somebody who acts for an organisation.
pub async fn delegate(clients: &Clients, administrator: &str, organisation: &str, role: &str) -> Outcome<String> {
    let key = Key {
        actor_id: format!("{organisation}-delegate"),
        name: format!("Delegate of {organisation}"),
        roles: vec![role.into()],
        organisation_id: organisation.into(),
        ..Key::default()
    };
    issue(clients, administrator, key).await
}

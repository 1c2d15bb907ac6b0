//! The register in memory, so that choosing an audience reads no table: made anew when its version has changed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use sea_orm::{ConnectionTrait, DbErr};
use tocsin_domain::audience::{Audience, AudienceQuestion, Organisation, choose};
use tocsin_domain::id::{ContactId, OrganisationId};

use crate::register::Entry;
use crate::store;

/// The register as it stood at one version.
#[derive(Debug, Default)]
pub(crate) struct Network {
    version: i64,
    /// In the order of their ids.
    entries: Vec<Entry>,
    organisations: Vec<Organisation>,
    places: HashMap<OrganisationId, usize>,
    owners: HashMap<ContactId, OrganisationId>,
}

impl Network {
    /// Takes entries in the order of their ids.
    pub(crate) fn new(version: i64, entries: Vec<Entry>) -> Self {
        let organisations = entries.iter().map(|entry| entry.organisation.clone()).collect();
        let places = entries.iter().zip(0..).map(|(entry, place)| (entry.organisation.id.clone(), place)).collect();
        let contacts = |entry: &Entry| {
            let owner = entry.organisation.id.clone();
            entry.contacts.clone().into_iter().map(move |contact| (contact, owner.clone()))
        };
        let owners = entries.iter().flat_map(contacts).collect();
        Self { version, entries, organisations, places, owners }
    }

    /// Every organisation, in the order of their ids.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// One organisation.
    pub(crate) fn entry(&self, id: &OrganisationId) -> Option<&Entry> {
        self.places.get(id).and_then(|place| self.entries.get(*place))
    }

    /// Whose contact it is.
    pub(crate) fn owner(&self, contact: &ContactId) -> Option<&OrganisationId> {
        self.owners.get(contact)
    }

    /// Whom an alert would reach.
    pub(crate) fn choose(&self, question: &AudienceQuestion<'_>) -> Audience {
        choose(question, &self.organisations)
    }
}

/// The newest register that this process has read.
#[derive(Debug, Default)]
pub(crate) struct NetworkCache {
    current: RwLock<Arc<Network>>,
}

impl NetworkCache {
    /// The register as the connection sees it now.
    pub(crate) async fn current<C: ConnectionTrait>(&self, connection: &C) -> Result<Arc<Network>, DbErr> {
        let version = store::feed::state(connection).await?.network_version;
        self.at(connection, version).await
    }

    /// The register at a version that the caller has just read over the same connection.
    pub(crate) async fn at<C: ConnectionTrait>(&self, connection: &C, version: i64) -> Result<Arc<Network>, DbErr> {
        let known = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        // The first version of a new database is 0, as is that of the empty register that this cache begins with.
        if known.version == version {
            return Ok(known);
        }
        let entries = store::organisations::all(connection).await?;
        let loaded = Arc::new(Network::new(version, entries));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&loaded);
        Ok(loaded)
    }
}

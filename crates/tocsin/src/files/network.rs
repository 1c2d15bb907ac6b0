//! A network file: organisations with their contacts, as `make-network` writes it; and a list of staff contacts.
//!
//! The file is one document for people; its two halves go two ways. dispatch gets organisations with opaque contact
//! ids, notification gets the contacts with their addresses.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tocsin_proto::{dispatch::v1 as dispatch, notification::v1 as notification};

use super::fields::or_default;
use super::{FileError, Text};

/// A network as its file says it.
#[derive(Debug)]
pub(crate) struct Network {
    organisations: Vec<Organisation>,
    /// Paths of keys that nobody reads.
    pub(crate) ignored: Vec<String>,
}

/// Contacts that belong to no organisation: the people who do the work.
#[derive(Debug)]
pub(crate) struct Staff {
    contacts: Vec<Contact>,
    /// Paths of keys that nobody reads.
    pub(crate) ignored: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NetworkFile {
    /// From which the generator made the file; nothing to us.
    #[serde(default)]
    seed: serde_json::Value,
    organisations: Vec<Organisation>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Organisation {
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    country: String,
    #[serde(default, deserialize_with = "or_default")]
    region: String,
    #[serde(default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    language: String,
    #[serde(default, deserialize_with = "or_default")]
    clearance: String,
    #[serde(default, deserialize_with = "or_default")]
    groups: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    subscription: Subscription,
    #[serde(default, deserialize_with = "or_default")]
    offers: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    contacts: Vec<Contact>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Subscription {
    #[serde(default, deserialize_with = "or_default")]
    regions: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    groups: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    minimum_priority: String,
    #[serde(default, deserialize_with = "or_default")]
    never_auto_sign_countries: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Contact {
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    role: String,
    #[serde(default, deserialize_with = "or_default")]
    language: String,
    #[serde(default, deserialize_with = "or_default")]
    time_zone: String,
    #[serde(default, deserialize_with = "or_default")]
    email: String,
    #[serde(default, deserialize_with = "or_default")]
    phone: String,
    #[serde(default, deserialize_with = "or_default")]
    webhook: String,
    #[serde(default, deserialize_with = "or_default")]
    webhook_secret: String,
    #[serde(default, deserialize_with = "or_default")]
    openpgp_key: String,
    #[serde(default, deserialize_with = "or_default")]
    webhook_signatures: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    signal: String,
    #[serde(default, deserialize_with = "or_default")]
    matrix: String,
    #[serde(default, deserialize_with = "or_default")]
    channels: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    quiet_hours: String,
    #[serde(default, deserialize_with = "or_default")]
    urgent_overrides_quiet_hours: bool,
}

impl Network {
    /// Reads a network file; `-` is standard input. Keys that nobody reads are named on standard error.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let text = super::read(path)?;
        let network = Self::parse(&text)?;
        super::warn_of_ignored(&text.name, &network.ignored);
        Ok(network)
    }

    /// The pure half of [`Network::read`].
    pub(crate) fn parse(text: &Text) -> Result<Self, FileError> {
        let parsed = text.parse::<NetworkFile>()?;
        let organisations = parsed.value.organisations;
        let ids =
            organisations.iter().enumerate().map(|(index, it)| (format!("organisations[{index}].id"), it.id.as_str()));
        refuse_twice(text, ids)?;
        let contacts = organisations.iter().enumerate().flat_map(|(outer, organisation)| {
            organisation
                .contacts
                .iter()
                .enumerate()
                .map(move |(inner, it)| (format!("organisations[{outer}].contacts[{inner}].id"), it.id.as_str()))
        });
        refuse_twice(text, contacts)?;
        Ok(Self { organisations, ignored: parsed.ignored })
    }

    /// What dispatch is told, in the order of the file.
    pub(crate) fn organisations(&self) -> Vec<dispatch::Organisation> {
        self.organisations.iter().map(Organisation::message).collect()
    }

    /// What notification is told, in the order of the file.
    pub(crate) fn contacts(&self) -> Vec<notification::Contact> {
        self.organisations
            .iter()
            .flat_map(|organisation| organisation.contacts.iter().map(|contact| contact.message(&organisation.id)))
            .collect()
    }
}

/// Reads one contact of its own file; `-` is standard input. Keys that nobody reads are named on standard error.
pub(crate) fn read_contact(path: &Path, organisation: &str) -> Result<notification::Contact, FileError> {
    let text = super::read(path)?;
    let parsed = text.parse::<Contact>()?;
    super::warn_of_ignored(&text.name, &parsed.ignored);
    Ok(parsed.value.message(organisation))
}

impl Staff {
    /// Reads a JSON list of contacts; `-` is standard input. Keys that nobody reads are named on standard error.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let text = super::read(path)?;
        let staff = Self::parse(&text)?;
        super::warn_of_ignored(&text.name, &staff.ignored);
        Ok(staff)
    }

    /// The pure half of [`Staff::read`].
    pub(crate) fn parse(text: &Text) -> Result<Self, FileError> {
        let parsed = text.parse::<Vec<Contact>>()?;
        refuse_twice(
            text,
            parsed.value.iter().enumerate().map(|(index, it)| (format!("[{index}].id"), it.id.as_str())),
        )?;
        Ok(Self { contacts: parsed.value, ignored: parsed.ignored })
    }

    /// What notification is told; staff belong to no organisation.
    pub(crate) fn contacts(&self) -> Vec<notification::Contact> {
        self.contacts.iter().map(|contact| contact.message("")).collect()
    }
}

/// The same id twice would silently replace the first by the second.
fn refuse_twice<'a>(text: &Text, ids: impl Iterator<Item = (String, &'a str)>) -> Result<(), FileError> {
    let mut seen: HashMap<&str, String> = HashMap::new();
    for (path, id) in ids {
        if id.trim().is_empty() {
            return Err(text.wrong_at(&path, "expected an id that is not empty"));
        }
        if let Some(first) = seen.get(id) {
            return Err(text.wrong_at(&path, format!("expected an id of its own; it stands at `{first}` already")));
        }
        seen.insert(id, path);
    }
    Ok(())
}

impl Organisation {
    fn message(&self) -> dispatch::Organisation {
        dispatch::Organisation {
            organisation_id: self.id.clone(),
            name: self.name.clone(),
            country: self.country.clone(),
            region: self.region.clone(),
            kind: self.kind.clone(),
            language: self.language.clone(),
            clearance: self.clearance.clone(),
            groups: self.groups.clone(),
            subscription: Some(dispatch::Subscription {
                regions: self.subscription.regions.clone(),
                groups: self.subscription.groups.clone(),
                minimum_priority: self.subscription.minimum_priority.clone(),
                never_auto_sign_countries: self.subscription.never_auto_sign_countries.clone(),
            }),
            offers: self.offers.clone(),
            contact_ids: self.contacts.iter().map(|contact| contact.id.clone()).collect(),
        }
    }
}

impl Contact {
    fn message(&self, organisation: &str) -> notification::Contact {
        notification::Contact {
            contact_id: self.id.clone(),
            organisation_id: organisation.to_owned(),
            role: self.role.clone(),
            language: self.language.clone(),
            time_zone: self.time_zone.clone(),
            email: self.email.clone(),
            phone: self.phone.clone(),
            webhook: self.webhook.clone(),
            channels: self.channels.clone(),
            quiet_hours: self.quiet_hours.clone(),
            urgent_overrides_quiet_hours: self.urgent_overrides_quiet_hours,
            webhook_secret: self.webhook_secret.clone(),
            openpgp_key: self.openpgp_key.clone(),
            webhook_signatures: self.webhook_signatures.clone(),
            signal: self.signal.clone(),
            matrix: self.matrix.clone(),
        }
    }
}

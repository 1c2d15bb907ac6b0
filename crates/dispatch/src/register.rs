//! One organisation of the register: from the wire, naming every fault, and to the row and back. Pure.

use serde::{Deserialize, Serialize};
use tocsin_domain::audience::{Organisation, OrganisationKind, Subscription};
use tocsin_domain::codes::{DefenderGroup, Support};
use tocsin_domain::country::{CountryCode, Region};
use tocsin_domain::id::{ContactId, OrganisationId};
use tocsin_domain::language::LanguageTag;
use tocsin_domain::priority::Priority;
use tocsin_domain::text::single_line;
use tocsin_domain::tlp::Tlp;
use tocsin_platform::failure::FieldViolation;
use tocsin_proto::dispatch::v1 as wire;

use crate::entity::organisation::Model;

const NAME_CHARS_MAX: usize = 200;
const LIST_ENTRIES_MAX: usize = 200;

/// An organisation in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What the audience depends on.
    pub(crate) organisation: Organisation,
    pub(crate) name: String,
    pub(crate) region: Region,
    pub(crate) language: LanguageTag,
    pub(crate) groups: Vec<DefenderGroup>,
    pub(crate) never_auto_sign_countries: Vec<CountryCode>,
    pub(crate) offers: Vec<Support>,
    pub(crate) contacts: Vec<ContactId>,
}

/// The subscription as it is stored.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredSubscription {
    regions: Vec<String>,
    groups: Vec<String>,
    minimum_priority: String,
    never_auto_sign_countries: Vec<String>,
}

/// Collects the faults of one organisation under its place in the request.
struct Faults {
    prefix: String,
    found: Vec<FieldViolation>,
}

impl Faults {
    fn note(&mut self, field: &str, description: impl Into<String>) {
        self.found.push(FieldViolation { field: format!("{}{field}", self.prefix), description: description.into() });
    }

    fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, field: &str, given: &str) -> Option<T> {
        given.parse().map_err(|error: T::Err| self.note(field, error.to_string())).ok()
    }

    /// Parses a list without repetitions; the wrong entries are left out and noted.
    fn parse_list<T>(&mut self, field: &str, given: &[String]) -> Vec<T>
    where
        T: std::str::FromStr<Err: std::fmt::Display> + PartialEq,
    {
        if given.len() > LIST_ENTRIES_MAX {
            self.note(field, format!("at most {LIST_ENTRIES_MAX} entries are allowed"));
            return Vec::new();
        }
        let mut parsed = Vec::with_capacity(given.len());
        for (index, text) in given.iter().enumerate() {
            let place = format!("{field}[{index}]");
            match self.parse(&place, text) {
                Some(entry) if parsed.contains(&entry) => self.note(&place, "this entry stands twice in the list"),
                Some(entry) => parsed.push(entry),
                None => {}
            }
        }
        parsed
    }
}

impl Entry {
    /// Reads an organisation from the wire. `prefix` is its place in the request, as `organisations[3].`.
    pub(crate) fn decode(given: &wire::Organisation, prefix: &str) -> Result<Self, Vec<FieldViolation>> {
        let mut faults = Faults { prefix: prefix.to_owned(), found: Vec::new() };
        let id: Option<OrganisationId> = faults.parse("organisation_id", &given.organisation_id);
        check_name(&given.name, &mut faults);
        let country: Option<CountryCode> = faults.parse("country", &given.country);
        let region: Option<Region> = faults.parse("region", &given.region);
        let kind: Option<OrganisationKind> = faults.parse("kind", &given.kind);
        let language: Option<LanguageTag> = faults.parse("language", &given.language);
        let clearance: Option<Tlp> = faults.parse("clearance", &given.clearance);
        let groups = faults.parse_list("groups", &given.groups);
        let offers = faults.parse_list("offers", &given.offers);
        let contacts = faults.parse_list("contact_ids", &given.contact_ids);
        if given.subscription.is_none() {
            faults.note("subscription", "a subscription is needed; its lists may be empty");
        }
        let wanted = given.subscription.clone().unwrap_or_default();
        let minimum_priority: Option<Priority> = match given.subscription {
            Some(_) => faults.parse("subscription.minimum_priority", &wanted.minimum_priority),
            None => None,
        };
        let regions = faults.parse_list("subscription.regions", &wanted.regions);
        let followed = faults.parse_list("subscription.groups", &wanted.groups);
        let never_auto_sign_countries =
            faults.parse_list("subscription.never_auto_sign_countries", &wanted.never_auto_sign_countries);
        match (id, country, region, kind, language, clearance, minimum_priority) {
            (Some(id), Some(country), Some(region), Some(kind), Some(language), Some(clearance), Some(priority))
                if faults.found.is_empty() =>
            {
                let subscription = Subscription { regions, groups: followed, minimum_priority: priority };
                Ok(Self {
                    organisation: Organisation { id, kind, country, clearance, subscription },
                    name: given.name.clone(),
                    region,
                    language,
                    groups,
                    never_auto_sign_countries,
                    offers,
                    contacts,
                })
            }
            _ => Err(faults.found),
        }
    }

    /// The wire form.
    pub(crate) fn to_wire(&self) -> wire::Organisation {
        let organisation = &self.organisation;
        wire::Organisation {
            organisation_id: organisation.id.to_string(),
            name: self.name.clone(),
            country: organisation.country.to_string(),
            region: self.region.to_string(),
            kind: organisation.kind.to_string(),
            language: self.language.to_string(),
            clearance: organisation.clearance.to_string(),
            groups: texts(&self.groups),
            subscription: Some(wire::Subscription {
                regions: texts(&organisation.subscription.regions),
                groups: texts(&organisation.subscription.groups),
                minimum_priority: organisation.subscription.minimum_priority.to_string(),
                never_auto_sign_countries: texts(&self.never_auto_sign_countries),
            }),
            offers: texts(&self.offers),
            contact_ids: texts(&self.contacts),
        }
    }

    /// The row. Fails only if JSON does.
    pub(crate) fn to_row(&self) -> Result<Model, serde_json::Error> {
        let organisation = &self.organisation;
        let subscription = StoredSubscription {
            regions: texts(&organisation.subscription.regions),
            groups: texts(&organisation.subscription.groups),
            minimum_priority: organisation.subscription.minimum_priority.to_string(),
            never_auto_sign_countries: texts(&self.never_auto_sign_countries),
        };
        Ok(Model {
            organisation_id: organisation.id.to_string(),
            name: self.name.clone(),
            country: organisation.country.to_string(),
            region: self.region.to_string(),
            kind: organisation.kind.to_string(),
            language: self.language.to_string(),
            clearance: organisation.clearance.to_string(),
            groups: serde_json::to_string(&texts(&self.groups))?,
            subscription: serde_json::to_string(&subscription)?,
            offers: serde_json::to_string(&texts(&self.offers))?,
            contact_ids: serde_json::to_string(&texts(&self.contacts))?,
        })
    }

    /// Reads a row by the rules of the wire; `None` when it was not written by this service.
    pub(crate) fn from_row(row: Model) -> Option<Self> {
        let subscription: StoredSubscription = serde_json::from_str(&row.subscription).ok()?;
        let list = |text: &str| serde_json::from_str::<Vec<String>>(text).ok();
        let given = wire::Organisation {
            groups: list(&row.groups)?,
            offers: list(&row.offers)?,
            contact_ids: list(&row.contact_ids)?,
            subscription: Some(wire::Subscription {
                regions: subscription.regions,
                groups: subscription.groups,
                minimum_priority: subscription.minimum_priority,
                never_auto_sign_countries: subscription.never_auto_sign_countries,
            }),
            organisation_id: row.organisation_id,
            name: row.name,
            country: row.country,
            region: row.region,
            kind: row.kind,
            language: row.language,
            clearance: row.clearance,
        };
        Self::decode(&given, "").ok()
    }
}

fn check_name(name: &str, faults: &mut Faults) {
    if let Err(error) = single_line(name) {
        faults.note("name", error.to_string());
    }
    if name.trim().is_empty() {
        faults.note("name", "a name is needed");
    }
    if name.chars().count() > NAME_CHARS_MAX {
        faults.note("name", format!("at most {NAME_CHARS_MAX} characters are allowed"));
    }
}

fn texts<T: std::fmt::Display>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organisation() -> wire::Organisation {
        wire::Organisation {
            organisation_id: "org-001".to_owned(),
            name: "Olive Women's Collective".to_owned(),
            country: "XY".to_owned(),
            region: "mena".to_owned(),
            kind: "partner".to_owned(),
            language: "ar".to_owned(),
            clearance: "AMBER+STRICT".to_owned(),
            groups: vec!["journalist".to_owned()],
            subscription: Some(wire::Subscription {
                regions: vec!["mena".to_owned()],
                groups: Vec::new(),
                minimum_priority: "p2".to_owned(),
                never_auto_sign_countries: vec!["XY".to_owned()],
            }),
            offers: vec!["legal".to_owned()],
            contact_ids: vec!["org-001-c1".to_owned(), "org-001-c2".to_owned()],
        }
    }

    #[test]
    fn an_organisation_survives_row_and_wire() {
        let entry = Entry::decode(&organisation(), "").unwrap();
        assert_eq!(entry.to_wire(), organisation());
        assert_eq!(Entry::from_row(entry.to_row().unwrap()), Some(entry));
    }

    #[test]
    fn every_fault_is_named_by_its_place() {
        let given = wire::Organisation {
            organisation_id: "Org 1".to_owned(),
            name: "a\r\nb".to_owned(),
            country: "x".to_owned(),
            groups: vec!["journalist".to_owned(), "jurnalist".to_owned(), "journalist".to_owned()],
            subscription: None,
            contact_ids: vec!["UPPER".to_owned()],
            ..organisation()
        };
        let faults = Entry::decode(&given, "organisations[3].").unwrap_err();
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "organisations[3].organisation_id",
                "organisations[3].name",
                "organisations[3].country",
                "organisations[3].groups[1]",
                "organisations[3].groups[2]",
                "organisations[3].contact_ids[0]",
                "organisations[3].subscription",
            ]
        );
    }
}

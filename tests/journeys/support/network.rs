//! A network in the form of `fixtures/network.json`, and its import.

use serde_json::{Value, json};
use tocsin_proto::dispatch::v1::{ImportOrganisationsRequest, Organisation, Subscription};
use tocsin_proto::notification::v1::{Contact, ImportContactsRequest};

use crate::Outcome;
use crate::clients::{Clients, bearing};

/// Organisations or contacts in one import request.
const BATCH: usize = 500;

/// A network file.
#[derive(Debug, Clone)]
pub struct Network(pub Value);

impl Network {
    /// What dispatch is told.
    pub fn organisations(&self) -> Vec<Organisation> {
        list(&self.0, "organisations").iter().map(organisation).collect()
    }

    /// What notification is told.
    pub fn contacts(&self) -> Vec<Contact> {
        list(&self.0, "organisations")
            .iter()
            .flat_map(|organisation| {
                list(organisation, "contacts").iter().map(|one| contact(one, &text(organisation, "id")))
            })
            .collect()
    }

    /// The hosts of its webhooks.
    pub fn webhook_hosts(&self) -> Vec<String> {
        let hosts = self.contacts().into_iter().filter_map(|contact| {
            reqwest::Url::parse(&contact.webhook).ok().and_then(|url| url.host_str().map(str::to_owned))
        });
        let mut hosts: Vec<_> = hosts.collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// Imports organisations, contacts and further contacts (staff).
    pub async fn import(&self, clients: &Clients, administrator: &str, staff: &[Contact]) -> Outcome<()> {
        for batch in self.organisations().chunks(BATCH) {
            let request = bearing(administrator, ImportOrganisationsRequest { organisations: batch.to_vec() })?;
            clients.organisations.clone().import_organisations(request).await?;
        }
        let contacts = [self.contacts(), staff.to_vec()].concat();
        for batch in contacts.chunks(BATCH) {
            let request = bearing(administrator, ImportContactsRequest { contacts: batch.to_vec(), only_new: false })?;
            clients.contacts.clone().import_contacts(request).await?;
        }
        Ok(())
    }
}

/// A network in which everybody receives everything: members cleared for RED, without filters or quiet hours, each
/// contact on all three channels. Telephone numbers are those reserved for fiction.
pub fn open(organisations: usize, contacts_each: usize) -> Network {
    let languages = ["en", "es", "fr", "ar"];
    let contact = |organisation: &str, number: usize, index: usize| {
        json!({
            "id": format!("{organisation}-c{}", index + 1), "role": "delegate", "language": languages[index % 4],
            "time_zone": "Etc/GMT+0", "email": format!("c{}@{organisation}.example", index + 1),
            "phone": format!("+447700900{:03}", (number * contacts_each + index) % 1000),
            "webhook": format!("https://hooks.{organisation}.example/tocsin/{index}"),
            "channels": ["email", "sms", "webhook"], "quiet_hours": null, "urgent_overrides_quiet_hours": true,
        })
    };
    let organisation = |number: usize| {
        let id = format!("org-{:03}", number + 1);
        let contacts: Vec<_> = (0..contacts_each).map(|index| contact(&id, number, index)).collect();
        json!({
            "id": id, "name": format!("Invented House {number}"), "country": "XB", "region": "africa",
            "kind": "signatory_member", "language": "en", "clearance": "RED", "groups": ["lawyer"],
            "subscription": {"regions": [], "groups": [], "minimum_priority": "p4", "never_auto_sign_countries": []},
            "contacts": contacts,
        })
    };
    Network(json!({"organisations": (0..organisations).map(organisation).collect::<Vec<_>>()}))
}

/// A member of staff who is paged by e-mail only.
pub fn staff(contact_id: &str) -> Contact {
    Contact {
        contact_id: contact_id.to_owned(),
        role: "duty".to_owned(),
        language: "en".to_owned(),
        time_zone: "Etc/GMT+0".to_owned(),
        email: format!("{contact_id}@staff.example"),
        channels: vec!["email".to_owned()],
        urgent_overrides_quiet_hours: true,
        ..Contact::default()
    }
}

fn organisation(from: &Value) -> Organisation {
    let subscription = &from["subscription"];
    Organisation {
        organisation_id: text(from, "id"),
        name: text(from, "name"),
        country: text(from, "country"),
        region: text(from, "region"),
        kind: text(from, "kind"),
        language: text(from, "language"),
        clearance: text(from, "clearance"),
        groups: texts(from, "groups"),
        subscription: Some(Subscription {
            regions: texts(subscription, "regions"),
            groups: texts(subscription, "groups"),
            minimum_priority: text(subscription, "minimum_priority"),
            never_auto_sign_countries: texts(subscription, "never_auto_sign_countries"),
        }),
        offers: texts(from, "offers"),
        contact_ids: list(from, "contacts").iter().map(|contact| text(contact, "id")).collect(),
    }
}

fn contact(from: &Value, organisation: &str) -> Contact {
    Contact {
        contact_id: text(from, "id"),
        organisation_id: organisation.to_owned(),
        role: text(from, "role"),
        language: text(from, "language"),
        time_zone: text(from, "time_zone"),
        email: text(from, "email"),
        phone: text(from, "phone"),
        webhook: text(from, "webhook"),
        webhook_secret: text(from, "webhook_secret"),
        openpgp_key: text(from, "openpgp_key"),
        channels: texts(from, "channels"),
        quiet_hours: text(from, "quiet_hours"),
        urgent_overrides_quiet_hours: from["urgent_overrides_quiet_hours"].as_bool().unwrap_or_default(),
        ..Contact::default()
    }
}

/// A list of a JSON object; an absent one is empty.
pub fn list<'a>(from: &'a Value, key: &str) -> &'a [Value] {
    from[key].as_array().map_or(&[], Vec::as_slice)
}

/// A text of a JSON object, a number as its digits; an absent one is empty.
pub fn text(from: &Value, key: &str) -> String {
    match &from[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A list of texts of a JSON object.
pub fn texts(from: &Value, key: &str) -> Vec<String> {
    list(from, key).iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

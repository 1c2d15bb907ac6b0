//! Invented networks of the sizes that scenarios need.

use serde_json::{Value, json};

use crate::hooks::BULK_PATH;

/// The most contacts of one organisation of a crowd.
const CONTACTS_EACH: usize = 200;
/// The region that the urgent alerts of benchmarks are about.
const URGENT_REGION: &str = "africa";

/// Organisations that follow alerts about one region, whose contacts have a webhook each.
pub(crate) struct Crowd {
    /// Begins their ids.
    pub(crate) name: &'static str,
    pub(crate) contacts: usize,
    /// Over how many hosts they are spread evenly, which are those of [`members`].
    pub(crate) hosts: usize,
    pub(crate) region: &'static str,
}

impl Crowd {
    /// The organisations.
    pub(crate) fn organisations(&self) -> Vec<Value> {
        let firsts = (0..self.contacts).step_by(CONTACTS_EACH).enumerate();
        firsts
            .map(|(index, first)| {
                let id = format!("{}-{index:04}", self.name);
                let numbers = first..self.contacts.min(first + CONTACTS_EACH);
                let contacts = numbers.map(|number| {
                    let mut contact = contact(&format!("{id}-c{number}"), "webhook");
                    let host = number % self.hosts + 1;
                    contact["webhook"] = json!(format!("https://hooks.org-{host:05}.example{BULK_PATH}"));
                    contact
                });
                organisation(&id, &[self.region], &contacts.collect::<Vec<_>>())
            })
            .collect()
    }
}

/// Signatory members that follow every alert, with one contact each that has only this channel.
pub(crate) fn members(members: usize, channel: &str) -> Value {
    network(&(1..=members).map(|number| member(number, channel, &[])).collect::<Vec<_>>())
}

/// The same, following only the urgent alerts of benchmarks.
pub(crate) fn urgent_members(members: usize) -> Vec<Value> {
    (1..=members).map(|number| member(number, "webhook", &[URGENT_REGION])).collect()
}

/// A network of these organisations.
pub(crate) fn network(organisations: &[Value]) -> Value {
    json!({ "organisations": organisations })
}

/// The host of a member's webhook, as settings name it.
pub(crate) fn host_of(number: usize) -> String {
    format!("hooks.org-{number:05}.example:443")
}

/// A telephone number of those reserved for fiction: a hundred in each area.
pub(crate) fn phone(number: usize) -> String {
    format!("+1{:03}55501{:02}", 201 + number / 100, number % 100)
}

fn member(number: usize, channel: &str, regions: &[&str]) -> Value {
    let id = format!("org-{number:05}");
    let mut contact = contact(&format!("{id}-c1"), channel);
    match channel {
        "webhook" => contact["webhook"] = json!(format!("https://hooks.{id}.example/tocsin")),
        "sms" => contact["phone"] = json!(phone(number)),
        _ => contact["email"] = json!(format!("alerts@{id}.example")),
    }
    organisation(&id, regions, &[contact])
}

fn contact(id: &str, channel: &str) -> Value {
    json!({
        "id": id, "role": "delegate", "language": "en", "time_zone": "Etc/GMT+0", "channels": [channel],
        "quiet_hours": null, "urgent_overrides_quiet_hours": true,
    })
}

fn organisation(id: &str, regions: &[&str], contacts: &[Value]) -> Value {
    json!({
        "id": id, "name": format!("Member {id}"), "country": "XB", "region": "africa", "kind": "signatory_member",
        "language": "en", "clearance": "AMBER", "groups": [], "contacts": contacts,
        "subscription": {
            "regions": regions, "groups": [], "minimum_priority": "p4", "never_auto_sign_countries": [],
        },
    })
}

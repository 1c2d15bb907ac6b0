//! Contacts as people read them.

use tocsin_proto::notification::v1::{
    ContactAddress, ContactSummary, GetContactResponse, RotateWebhookKeysResponse, SendContactCodeResponse,
    TestContactResponse,
};

use crate::output::{Page, Table, moment};

/// The table of contacts: one line for each address.
pub(in crate::client) fn table(contacts: &[ContactSummary]) -> Table {
    let mut table =
        Table::new(["contact", "organisation", "language", "channel", "address", "used", "verified", "suppressed"]);
    for contact in contacts {
        let mut row = |address: &ContactAddress| {
            table.row([
                contact.contact_id.clone(),
                contact.organisation_id.clone(),
                contact.language.clone(),
                address.channel.clone(),
                address.address.clone(),
                place(address.place),
                verified(address),
                address.suppressed.clone(),
            ]);
        };
        if contact.addresses.is_empty() {
            let address = if contact.unreadable { "unreadable: import it again" } else { "" };
            row(&ContactAddress { address: address.to_owned(), ..ContactAddress::default() });
        }
        contact.addresses.iter().for_each(row);
    }
    table
}

fn place(place: u32) -> String {
    match place {
        0 => String::new(),
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        further => format!("{further}th"),
    }
}

/// When its owner proved it; an address that no notice uses needs no proof.
fn verified(address: &ContactAddress) -> String {
    match moment(address.verified_at.as_ref()).as_str() {
        "" if address.place > 0 => "no".to_owned(),
        at => at.to_owned(),
    }
}

/// One contact.
pub(in crate::client) fn page(answer: &GetContactResponse) -> String {
    let mut page = Page::new();
    let contact = answer.contact.clone().unwrap_or_default();
    page.field("contact", &contact.contact_id);
    let organisation = if contact.organisation_id.is_empty() { "none: staff" } else { &contact.organisation_id };
    page.field("organisation", organisation).field("role", &answer.role).field("language", &contact.language);
    page.field("time zone", &contact.time_zone).field("quiet hours", &contact.quiet_hours);
    if contact.urgent_overrides_quiet_hours && !contact.quiet_hours.is_empty() {
        page.field("urgent", "may come in quiet hours");
    }
    if answer.has_openpgp_key {
        page.field("e-mail", "is encrypted with OpenPGP");
    }
    page.list("webhook signed", &answer.webhook_signatures);
    page.field("changed", moment(contact.updated_at.as_ref()));
    if contact.unreadable {
        page.line("It does not open under the master key in use: import it again.");
    }
    let mut table = Table::new(["channel", "address", "used", "verified", "suppressed"]);
    for address in &contact.addresses {
        table.row([
            address.channel.clone(),
            address.address.clone(),
            place(address.place),
            verified(address),
            address.suppressed.clone(),
        ]);
    }
    page.heading("Addresses").table(&table);
    page.finish()
}

/// How a code left.
pub(in crate::client) fn code_sent(answer: &SendContactCodeResponse) -> String {
    let mut page = Page::new();
    page.field("code sent", &answer.outcome).field("answer", &answer.code);
    page.field("taken back until", moment(answer.expires_at.as_ref()));
    page.finish()
}

/// How a test went.
pub(in crate::client) fn tested(answer: &TestContactResponse) -> String {
    let mut page = Page::new();
    page.field("channel", &answer.channel).field("outcome", &answer.outcome).field("code", &answer.code);
    page.field("took", format!("{} ms", answer.milliseconds)).field("answer", &answer.answer);
    if answer.enabled_again {
        page.heading("The webhook had been switched off and is used again.");
    }
    page.finish()
}

/// New webhook keys.
pub(in crate::client) fn rotated(answer: &RotateWebhookKeysResponse) -> String {
    let mut page = Page::new();
    page.field("secret", &answer.webhook_secret).field("public key", &answer.webhook_public_key);
    page.field("before signs until", moment(answer.before_signs_until.as_ref()));
    page.finish()
}

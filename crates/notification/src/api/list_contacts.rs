//! `ListContacts` and `GetContact`: how each contact is reached and whether its addresses are proved. Addresses are masked
//! unless an administrator asks for them, which is recorded.

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::channel::Channel;
use tocsin_platform::clock::from_ms;
use tocsin_platform::failure::Failure;
use tocsin_platform::pages::{page_size, page_token};
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{
    ContactAddress, ContactSummary, GetContactResponse, ListContactsRequest, ListContactsResponse,
};

use crate::changes::{self, By};
use crate::channel::Scheme;
use crate::contact::{Details, masked, verification};
use crate::entity::contact::{Column, Entity, Model};
use crate::entity::people::verification::Model as Verification;
use crate::entity::sms;
use crate::mail::rows::suppression;
use crate::mail::suppressions::of_contacts;
use crate::office::Office;

/// Whether addresses are told in full, and by whose word.
#[derive(Debug, Clone, Copy)]
pub(super) enum Addresses<'a> {
    Masked,
    InFull { actor: &'a str },
}

pub(super) async fn list_contacts(
    office: &Office,
    request: ListContactsRequest,
    addresses: Addresses<'_>,
) -> Result<ListContactsResponse, Failure> {
    let size = usize::try_from(page_size(request.page_size)).unwrap_or(1);
    let mut after: String = page_token(&request.page_token)?.unwrap_or_default();
    let (mut contacts, mut more) = (Vec::with_capacity(size), true);
    while contacts.len() < size && more {
        let mut select = Entity::find().order_by_asc(Column::ContactId).filter(Column::ContactId.gt(after.as_str()));
        if !request.organisation_id.is_empty() {
            select = select.filter(Column::OrganisationId.eq(request.organisation_id.as_str()));
        }
        // What the filter leaves out is made up for by another round.
        let wanted = size - contacts.len();
        let rows = select.limit(u64::try_from(wanted).unwrap_or(1)).all(office.database.reader()).await?;
        more = rows.len() == wanted;
        if let Some(last) = rows.last() {
            after.clone_from(&last.contact_id);
        }
        let shown = summaries(office, rows, matches!(addresses, Addresses::InFull { .. })).await?;
        contacts.extend(shown.into_iter().filter(|one| !request.unverified || is_unverified(one)));
    }
    if !contacts.is_empty() {
        record(office, addresses, &format!("{} contacts", contacts.len())).await?;
    }
    Ok(ListContactsResponse { contacts, next_page_token: if more { after } else { String::new() } })
}

pub(super) async fn get_contact(
    office: &Office,
    contact_id: &str,
    addresses: Addresses<'_>,
) -> Result<GetContactResponse, Failure> {
    let row = Entity::find_by_id(contact_id).one(office.database.reader()).await?;
    let row = row.ok_or_else(super::unknown_contact)?;
    let details = Details::open(office.secrets.contact_key(), &row.contact_id, &row.sealed).unwrap_or_default();
    record(office, addresses, &format!("contact {contact_id}")).await?;
    let contact = summaries(office, vec![row], matches!(addresses, Addresses::InFull { .. })).await?.pop();
    let schemes = [Scheme::V1, Scheme::V1a].into_iter().filter(|_| !details.webhook.is_empty());
    Ok(GetContactResponse {
        contact,
        role: details.role.clone(),
        has_openpgp_key: !details.openpgp_key.is_empty(),
        webhook_signatures: schemes
            .filter(|scheme| details.signs(*scheme))
            .map(|scheme| scheme.as_str().to_owned())
            .collect(),
    })
}

/// Whether a channel in use has an address that nobody has proved.
fn is_unverified(contact: &ContactSummary) -> bool {
    contact.addresses.iter().any(|address| address.place > 0 && address.verified_at.is_none())
}

async fn record(office: &Office, addresses: Addresses<'_>, subject: &str) -> Result<(), Failure> {
    let Addresses::InFull { actor } = addresses else { return Ok(()) };
    let transaction = office.database.begin().await?;
    let by = By { actor, reason: "" };
    changes::record(&transaction, office, &by, "contacts.show_addresses", subject).await?;
    tocsin_platform::database::commit(transaction, "notification.record_change").await?;
    tracing::info!(actor_id = actor, "addresses of contacts were shown in full");
    Ok(())
}

async fn summaries(office: &Office, rows: Vec<Model>, in_full: bool) -> Result<Vec<ContactSummary>, Failure> {
    let reader = office.database.reader();
    let ids: Vec<String> = rows.iter().map(|row| row.contact_id.clone()).collect();
    let mut proved = verification::of(reader, &ids).await?;
    let mut suppressed = of_contacts(reader, &ids).await?;
    let mut opened = Vec::with_capacity(rows.len());
    for row in rows {
        let details = Details::open(office.secrets.contact_key(), &row.contact_id, &row.sealed).ok();
        opened.push((row, details));
    }
    let stopped = stopped(office, reader, &opened).await?;
    let mut shown = Vec::with_capacity(opened.len());
    for (row, details) in opened {
        let known = Known {
            office,
            proved: proved.remove(&row.contact_id).unwrap_or_default(),
            suppression: suppressed.remove(&row.contact_id),
            is_stopped: details
                .as_ref()
                .is_some_and(|details| stopped.contains(&office.secrets.phone_mac(&details.phone))),
            in_full,
        };
        shown.push(known.summary(row, details.as_ref()));
    }
    Ok(shown)
}

/// The keyed hashes of those numbers that want no text messages.
async fn stopped<C: ConnectionTrait>(
    office: &Office,
    connection: &C,
    opened: &[(Model, Option<Details>)],
) -> Result<Vec<String>, DbErr> {
    let numbers = opened.iter().filter_map(|(_, details)| details.as_ref()).map(|details| details.phone.as_str());
    let macs: Vec<String> =
        numbers.filter(|number| !number.is_empty()).map(|number| office.secrets.phone_mac(number)).collect();
    let wanted = sms::suppression::Column::PhoneMac.is_in(macs);
    let rows = sms::suppression::Entity::find().filter(wanted).all(connection).await?;
    Ok(rows.into_iter().map(|row| row.phone_mac).collect())
}

/// What is known of one contact beside its row.
struct Known<'a> {
    office: &'a Office,
    proved: Vec<Verification>,
    suppression: Option<suppression::Model>,
    is_stopped: bool,
    in_full: bool,
}

impl Known<'_> {
    fn summary(&self, row: Model, details: Option<&Details>) -> ContactSummary {
        let used: Vec<Channel> = row.channels.split(' ').filter_map(|channel| channel.parse().ok()).collect();
        let addresses = details.map(|details| {
            let further = Channel::ALL.iter().copied().filter(|channel| !used.contains(channel));
            let all = used.iter().copied().chain(further);
            let has_address = |channel: &Channel| !details.address(*channel).is_empty();
            all.filter(has_address).map(|channel| self.address(&row, details, &used, channel)).collect()
        });
        ContactSummary {
            organisation_id: row.organisation_id.unwrap_or_default(),
            language: row.language,
            time_zone: row.time_zone,
            quiet_hours: row.quiet_hours.unwrap_or_default(),
            urgent_overrides_quiet_hours: row.urgent_overrides_quiet_hours,
            addresses: addresses.unwrap_or_default(),
            updated_at: Some(timestamp(from_ms(row.updated_at_ms))),
            unreadable: details.is_none(),
            contact_id: row.contact_id,
        }
    }

    fn address(&self, row: &Model, details: &Details, used: &[Channel], channel: Channel) -> ContactAddress {
        let address = details.address(channel);
        let mac = verification::address_mac(&self.office.secrets, channel, address);
        let proved = self.proved.iter().find(|one| one.channel == channel.as_str() && one.address_mac == mac);
        let place = used.iter().position(|one| *one == channel).map_or(0, |place| place + 1);
        ContactAddress {
            channel: channel.as_str().to_owned(),
            address: if self.in_full { address.to_owned() } else { masked(channel, address) },
            place: u32::try_from(place).unwrap_or(0),
            verified_at: proved.and_then(|one| one.verified_at_ms).map(|at| timestamp(from_ms(at))),
            suppressed: self.suppressed(row, details, channel),
        }
    }

    fn suppressed(&self, row: &Model, details: &Details, channel: Channel) -> String {
        let now_ms = self.office.clock.now_ms();
        match channel {
            Channel::Webhook if row.webhook_disabled => "webhook_disabled".to_owned(),
            Channel::Sms if self.is_stopped => "stopped_by_recipient".to_owned(),
            Channel::Email => {
                let mac = self.office.secrets.address_mac(&details.email);
                let suppression = self.suppression.as_ref().filter(|row| row.address_mac == mac);
                let stands = suppression.filter(|row| row.until_ms.is_none_or(|until| until > now_ms));
                stands.map(|row| row.kind.clone()).unwrap_or_default()
            }
            _ => String::new(),
        }
    }
}

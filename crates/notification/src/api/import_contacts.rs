//! `ImportContacts`: creates or replaces contacts; the same import twice changes nothing.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};
use tocsin_domain::violation::FieldViolation;
use tocsin_platform::database::take_turn;
use tocsin_platform::failure::Failure;
use tocsin_proto::notification::v1::{Contact, ContactSecret, ImportContactsRequest, ImportContactsResponse};

use crate::changes::{self, By};
use crate::contact::{Details, ImportRules, ImportedContact, Rotation, verification};
use crate::entity::contact::{self, Column, Entity, Model};
use crate::office::Office;

/// The most contacts of one request.
const CONTACTS_MAX: usize = 5_000;
/// The most faults that are named.
const VIOLATIONS_MAX: usize = 100;
/// Rows in one statement.
const ROWS_A_STATEMENT: usize = 1_000;

pub(super) async fn import_contacts(
    office: &Office,
    request: ImportContactsRequest,
    actor: &str,
) -> Result<ImportContactsResponse, Failure> {
    let contacts = decode(office, request.contacts)?;
    let transaction = office.database.begin().await?;
    // One import at a time: two that made secrets for the same contact would each tell their own.
    take_turn(&transaction, "contacts").await?;
    let mut known = load(&transaction, &contacts).await?;
    let mut answer = ImportContactsResponse::default();
    if request.only_new && !known.is_empty() {
        let says = "there is such a contact; `tocsin contact show` shows it, and an import replaces it";
        return Err(Failure::conflict("CONTACT_EXISTS", says));
    }
    let (mut rows, mut numbers, mut moved) = (Vec::new(), Vec::new(), Vec::new());
    for contact in contacts {
        let earlier = known.remove(contact.contact_id.as_str());
        let number = (contact.contact_id.to_string(), contact.details.phone.clone());
        let details = contact.details.clone();
        if let Some(row) = decide(office, contact, earlier.as_ref(), &mut answer)? {
            if earlier.is_some() {
                moved.push((row.contact_id.clone(), details));
            }
            rows.push(row);
            numbers.push(number);
        }
    }
    for chunk in rows.chunks(ROWS_A_STATEMENT) {
        store(&transaction, chunk).await?;
    }
    crate::sms::record_phones(&transaction, &office.secrets, &numbers).await?;
    verification::forget_moved(&transaction, &office.secrets, &moved).await?;
    if !rows.is_empty() {
        let subject = match rows.as_slice() {
            [one] => format!("contact {}", one.contact_id),
            several => format!("{} contacts", several.len()),
        };
        changes::record(&transaction, office, &By { actor, reason: "" }, "contacts.import", &subject).await?;
    }
    tocsin_platform::database::commit(transaction, "notification.import_contacts").await?;
    Ok(answer)
}

fn decode(office: &Office, given: Vec<Contact>) -> Result<Vec<ImportedContact>, Failure> {
    if given.len() > CONTACTS_MAX {
        let message = format!("at most {CONTACTS_MAX} contacts fit into one import; send them in parts");
        return Err(Failure::invalid("TOO_MANY_CONTACTS", message).field("contacts", "too many"));
    }
    let rules = ImportRules {
        phone_prefixes: office.config.phone_prefixes.clone(),
        loopback_http: office.config.webhook.allow_loopback_http,
        now: office.clock.now(),
    };
    let mut violations = Vec::new();
    let mut seen = HashSet::new();
    let mut contacts = Vec::with_capacity(given.len());
    for (index, contact) in given.into_iter().enumerate() {
        if let Some(contact) = rules.decode(index, contact, &mut violations) {
            if !seen.insert(contact.contact_id.clone()) {
                let field = format!("contacts[{index}].contact_id");
                violations.push(FieldViolation::new(field, "this id stands twice in the import"));
            }
            contacts.push(contact);
        }
    }
    if violations.is_empty() {
        return Ok(contacts);
    }
    violations.truncate(VIOLATIONS_MAX);
    let mut failure = Failure::invalid("INVALID_CONTACTS", "some contacts cannot be imported; nothing was changed");
    for violation in violations {
        failure = failure.field(violation.field, violation.description);
    }
    Err(failure)
}

async fn load<C: ConnectionTrait>(
    connection: &C,
    contacts: &[ImportedContact],
) -> Result<HashMap<String, Model>, DbErr> {
    let mut known = HashMap::new();
    for chunk in contacts.chunks(ROWS_A_STATEMENT) {
        let ids = chunk.iter().map(|contact| contact.contact_id.as_str());
        let rows = Entity::find().filter(Column::ContactId.is_in(ids)).all(connection).await?;
        known.extend(rows.into_iter().map(|row| (row.contact_id.clone(), row)));
    }
    Ok(known)
}

/// The row to write; none when nothing changes. What was made for the contact goes into the answer.
fn decide(
    office: &Office,
    mut contact: ImportedContact,
    earlier: Option<&Model>,
    answer: &mut ImportContactsResponse,
) -> Result<Option<Model>, Failure> {
    let key = office.secrets.contact_key();
    let id = contact.contact_id.to_string();
    // A row that does not open is replaced whole, with new secrets.
    let details = earlier.and_then(|row| Details::open(key, &id, &row.sealed).ok());
    let rotation = Rotation { now: office.clock.now(), overlap_hours: office.config.webhook.rotation_hours };
    contact.complete(details.as_ref(), rotation).map_err(|_| Failure::internal("NO_RANDOMNESS"))?;
    let row = |sealed, version| Model {
        contact_id: id.clone(),
        organisation_id: contact.organisation_id.as_ref().map(ToString::to_string),
        language: contact.language.to_string(),
        time_zone: contact.time_zone.name().to_owned(),
        channels: contact.channels.iter().map(|channel| channel.as_str()).collect::<Vec<_>>().join(" "),
        quiet_hours: contact.quiet_hours.map(|hours| hours.to_string()),
        urgent_overrides_quiet_hours: contact.urgent_overrides_quiet_hours,
        webhook_disabled: false,
        sealed,
        version,
        updated_at_ms: office.clock.now_ms(),
    };
    if let Some(earlier) = earlier {
        let same = Model {
            updated_at_ms: earlier.updated_at_ms,
            webhook_disabled: earlier.webhook_disabled,
            ..row(earlier.sealed.clone(), earlier.version)
        };
        if same == *earlier && details.as_ref() == Some(&contact.details) {
            answer.unchanged += 1;
            return Ok(None);
        }
    }
    let sealed = contact.details.seal(key, &id).map_err(|_| Failure::internal("CONTACT_NOT_SEALED"))?;
    let version = earlier.map_or(1, |row| row.version + 1);
    if earlier.is_some() {
        answer.changed += 1;
    } else {
        answer.created += 1;
    }
    answer.secrets.extend(made(&id, &contact.details, details.as_ref()));
    Ok(Some(row(sealed, version)))
}

/// What is new since the earlier import, to be handed over on another road.
fn made(contact_id: &str, now: &Details, earlier: Option<&Details>) -> Option<ContactSecret> {
    let new = |now: &String, earlier: Option<&String>| {
        if earlier == Some(now) { String::new() } else { now.clone() }
    };
    let secret = ContactSecret {
        contact_id: contact_id.to_owned(),
        shared_word: new(&now.shared_word, earlier.map(|details| &details.shared_word)),
        webhook_secret: new(&now.webhook_secret, earlier.map(|details| &details.webhook_secret)),
        webhook_public_key: new(&now.webhook_public_key(), earlier.map(Details::webhook_public_key).as_ref()),
    };
    let nothing =
        [&secret.shared_word, &secret.webhook_secret, &secret.webhook_public_key].into_iter().all(String::is_empty);
    (!nothing).then_some(secret)
}

async fn store<C: ConnectionTrait>(connection: &C, rows: &[Model]) -> Result<(), DbErr> {
    let replaced = OnConflict::column(Column::ContactId)
        .update_columns([
            Column::OrganisationId,
            Column::Language,
            Column::TimeZone,
            Column::Channels,
            Column::QuietHours,
            Column::UrgentOverridesQuietHours,
            Column::WebhookDisabled,
            Column::Sealed,
            Column::Version,
            Column::UpdatedAtMs,
        ])
        .to_owned();
    let active = rows.iter().map(|row| row.clone().into_active_model().reset_all());
    contact::Entity::insert_many(active).on_conflict(replaced).exec_without_returning(connection).await.map(|_| ())
}

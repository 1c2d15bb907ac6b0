//! What finally failed goes into the hands of a named person: the alert's coordinator, who is also called.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr};
use tocsin_domain::priority::Priority;
use tocsin_platform::clock::to_ms;

use crate::bulletin::Bulletin;
use crate::entity::{bulletin, notice};
use crate::expand::{Asked, Expansion};
use crate::office::{Office, insert_bulletin, insert_notices};
use crate::render::BulletinKind;
use crate::secrets::derived_id;

/// How long a handover's notices may still start, in milliseconds.
const HANDOVER_OPEN_MS: i64 = 24 * 3_600_000;

/// The name under which a failed notice of this bulletin is handed over; none for calls to staff themselves.
pub(crate) fn name_for(bulletin: &Bulletin) -> Option<String> {
    let name = &bulletin.row.coordinator_name;
    (bulletin.facts.kind == BulletinKind::Alert && !name.is_empty()).then(|| name.clone())
}

/// Calls the coordinators of these bulletins, once for each alert and revision, if they are known as contacts.
pub(crate) async fn call_coordinators<C: ConnectionTrait>(
    office: &Office,
    connection: &C,
    bulletins: &[Arc<Bulletin>],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let mut seen = Vec::new();
    for bulletin in bulletins {
        let key = (bulletin.row.bulletin_id, bulletin.row.revision);
        if !seen.contains(&key) && bulletin.facts.kind == BulletinKind::Alert {
            seen.push(key);
            call(office, connection, &bulletin.row, now).await?;
        }
    }
    Ok(())
}

/// Calls the coordinator of one bulletin; whoever asks has looked whether it is an alert's.
pub(crate) async fn call<C: ConnectionTrait>(
    office: &Office,
    connection: &C,
    about: &bulletin::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let coordinator = about.coordinator_id.clone();
    if coordinator.is_empty() {
        return Ok(());
    }
    let contacts = office.directory.load(connection, std::slice::from_ref(&coordinator)).await?;
    if contacts.get(&coordinator).is_none_or(|contact| contact.organisation_id.is_some()) {
        return Ok(());
    }
    let id = about.bulletin_id;
    let row = bulletin::Model {
        bulletin_id: derived_id(&format!("handover:{id}:{}", about.revision)),
        revision: 0,
        kind: BulletinKind::Handover.as_str().to_owned(),
        priority: Priority::P1.as_str().to_owned(),
        expires_at_ms: to_ms(now) + HANDOVER_OPEN_MS,
        consent_expires_at_ms: None,
        reviewed_languages: String::new(),
        coordinator_id: String::new(),
        coordinator_name: String::new(),
        sealed_texts: None,
        created_at_ms: to_ms(now),
        ..about.clone()
    };
    let batch_id = row.bulletin_id.to_string();
    let handover = Bulletin::from_row(row.clone()).map_err(|error| DbErr::Custom(error.to_string()))?;
    let asked = Asked { contact_id: coordinator, organisation_id: String::new(), acknowledge_token: String::new() };
    let expansion = Expansion {
        bulletin: &handover,
        batch_id: &batch_id,
        directory: &office.directory,
        contacts: &contacts,
        withdrawn: &HashMap::new(),
        next_channel_seconds: office.config.next_channel_seconds,
        now,
    };
    let notices: Vec<notice::Model> = expansion.notices(&[asked]);
    insert_bulletin(connection, &row).await?;
    insert_notices(connection, &notices).await.map(|_| ())
}

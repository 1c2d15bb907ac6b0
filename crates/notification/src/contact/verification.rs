//! Whether a contact's address is proved: a code of six digits goes there, and whoever looks after contacts takes it back
//! on another road. The proof holds for that very address only.

use std::collections::HashMap;

use rand::Rng as _;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect,
};
use tocsin_domain::channel::Channel;

use super::Details;
use crate::entity::people::verification::{Column, Entity, Model};
use crate::secrets::LocalSecrets;

/// How long a code is taken back, in milliseconds.
pub(crate) const CODE_LIFE_MS: i64 = 30 * 60_000;
/// A code is sent to one address once in this time, in milliseconds: nobody is flooded.
pub(crate) const CODE_PAUSE_MS: i64 = 60_000;
/// Wrong codes that are heard before a new one must be sent.
pub(crate) const TRIES_MAX: i32 = 5;
/// Ids in one query.
const IDS_A_QUERY: usize = 1_000;

/// What is to be said of a code that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Right,
    Wrong {
        left: i32,
    },
    /// None is awaited: it was never sent, is too old, or was guessed at too often.
    NotAwaited,
    /// The contact has another address by now.
    Moved,
}

/// A code, and its keyed hash as it is stored.
pub(crate) fn new_code() -> String {
    format!("{:06}", rand::rng().random_range(0..1_000_000_u32))
}

/// The keyed hash of an address.
pub(crate) fn address_mac(secrets: &LocalSecrets, channel: Channel, address: &str) -> String {
    hex::encode(secrets.proof(b"contact address\0", format!("{channel}\0{address}").as_bytes()))
}

/// The keyed hash of a code.
pub(crate) fn code_mac(secrets: &LocalSecrets, contact_id: &str, channel: Channel, code: &str) -> String {
    hex::encode(secrets.proof(b"contact code\0", format!("{contact_id}\0{channel}\0{code}").as_bytes()))
}

/// Judges a code that was given. Pure but for the keys.
pub(crate) fn hear(row: &Model, secrets: &LocalSecrets, address_mac: &str, code: &str, now_ms: i64) -> Heard {
    let Some(awaited) = row.code_mac.as_deref().filter(|_| row.tries < TRIES_MAX) else { return Heard::NotAwaited };
    if row.code_sent_at_ms + CODE_LIFE_MS <= now_ms {
        return Heard::NotAwaited;
    }
    if row.address_mac != address_mac {
        return Heard::Moved;
    }
    let text = format!("{}\0{}\0{code}", row.contact_id, row.channel);
    let shown = hex::decode(awaited).unwrap_or_default();
    if secrets.proof_holds(b"contact code\0", text.as_bytes(), &shown) {
        return Heard::Right;
    }
    Heard::Wrong { left: TRIES_MAX - row.tries - 1 }
}

/// Writes a row as it is now.
pub(crate) async fn save<C: ConnectionTrait>(connection: &C, row: Model) -> Result<(), DbErr> {
    let replaced = OnConflict::columns([Column::ContactId, Column::Channel])
        .update_columns([
            Column::AddressMac,
            Column::VerifiedAtMs,
            Column::CodeMac,
            Column::CodeSentAtMs,
            Column::Tries,
        ])
        .to_owned();
    let active = row.into_active_model().reset_all();
    Entity::insert(active).on_conflict(replaced).exec_without_returning(connection).await.map(|_| ())
}

/// One contact's row of a channel, locked until the transaction ends.
pub(crate) async fn lock<C: ConnectionTrait>(
    connection: &C,
    contact_id: &str,
    channel: Channel,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((contact_id.to_owned(), channel.as_str().to_owned())).lock_exclusive().one(connection).await
}

/// The rows of these contacts.
pub(crate) async fn of<C: ConnectionTrait>(
    connection: &C,
    contacts: &[String],
) -> Result<HashMap<String, Vec<Model>>, DbErr> {
    let mut found: HashMap<String, Vec<Model>> = HashMap::new();
    for chunk in contacts.chunks(IDS_A_QUERY) {
        let wanted = Column::ContactId.is_in(chunk.iter().map(String::as_str));
        for row in Entity::find().filter(wanted).all(connection).await? {
            found.entry(row.contact_id.clone()).or_default().push(row);
        }
    }
    Ok(found)
}

/// Forgets what was proved of addresses that these contacts have no more.
pub(crate) async fn forget_moved<C: ConnectionTrait>(
    connection: &C,
    secrets: &LocalSecrets,
    contacts: &[(String, Details)],
) -> Result<(), DbErr> {
    let ids: Vec<String> = contacts.iter().map(|(id, _)| id.clone()).collect();
    let known = of(connection, &ids).await?;
    for (id, details) in contacts {
        for row in known.get(id).into_iter().flatten() {
            let channel = row.channel.parse::<Channel>();
            let same =
                channel.is_ok_and(|channel| row.address_mac == address_mac(secrets, channel, details.address(channel)));
            if !same {
                let this =
                    Condition::all().add(Column::ContactId.eq(id.as_str())).add(Column::Channel.eq(&row.channel));
                Entity::delete_many().filter(this).exec(connection).await?;
            }
        }
    }
    Ok(())
}

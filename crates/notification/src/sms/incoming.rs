//! A text message to us, and what follows from it: messages stop or begin again, an alert is acknowledged, help is given,
//! or a person reads it.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};
use serde::{Deserialize, Serialize};
use tocsin_domain::channel::Channel;
use tocsin_domain::reference::ShortCode;
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use tocsin_platform::failure::Failure;
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::seal::{DataKey, Encrypted, SealError, decrypt, encrypt};
use tocsin_proto::catalogue::{Lane, REPLY_RECEIVED};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::ReplyReceived;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::answers::{self, Answer};
use super::reply::{Reply, understand};
use super::{phone, phones};
use crate::channel::Incoming;
use crate::entity::sms::{incoming, suppression};
use crate::entity::{bulletin, notice};
use crate::office::Office;

/// Bytes of the nonce at the beginning of the stored form.
const NONCE_BYTES: usize = 24;
/// The most alerts that one code may name.
const NAMESAKES_MAX: u64 = 20;

/// Number and text as they are kept for a person; sealed. `Debug` shows nothing.
#[derive(Serialize, Deserialize)]
pub(crate) struct IncomingText {
    pub(crate) phone: String,
    pub(crate) text: String,
}

impl std::fmt::Debug for IncomingText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl IncomingText {
    fn seal(&self, key: &DataKey, id: Uuid) -> Result<Vec<u8>, SealError> {
        let plain = Zeroizing::new(serde_json::to_vec(self).map_err(|_| SealError::Malformed)?);
        let sealed = encrypt(key, &format!("incoming:{id}"), &plain)?;
        Ok([sealed.nonce, sealed.ciphertext].concat())
    }

    /// Reads the stored form.
    pub(crate) fn open(key: &DataKey, id: Uuid, stored: &[u8]) -> Result<Self, SealError> {
        let (nonce, ciphertext) = stored.split_at_checked(NONCE_BYTES).ok_or(SealError::Malformed)?;
        let encrypted = Encrypted { nonce: nonce.to_vec(), ciphertext: ciphertext.to_vec() };
        let plain = decrypt(key, &format!("incoming:{id}"), &encrypted)?;
        serde_json::from_slice(&plain).map_err(|_| SealError::Malformed)
    }
}

/// Takes a message; once it returns, everything that follows from it is written.
pub(crate) async fn take(office: &Office, gateway: &str, message: &Incoming) -> Result<(), Failure> {
    let sender = phone::from_gateway(&message.from);
    let transaction = office.database.begin().await?;
    let phone_mac = sender.as_deref().map(|sender| office.secrets.phone_mac(sender));
    let owners = match &phone_mac {
        Some(mac) => phones::owners(&transaction, mac).await?,
        None => Vec::new(),
    };
    let now_ms = to_ms(agreed_now(&transaction, &office.clock).await?);
    let ask = |kind| Answer { kind, phone_mac: phone_mac.clone().unwrap_or_default(), gateway: gateway.to_owned() };
    let understood = match (&phone_mac, understand(&message.text)) {
        (Some(mac), Reply::Stop) => {
            let is_new = suppress(&transaction, mac, now_ms).await?;
            if let Some(owner) = owners.first().filter(|_| is_new) {
                answers::owe(&transaction, &ask(answers::Kind::Stopped), owner, now_ms).await?;
            }
            true
        }
        (Some(mac), Reply::Start) => {
            let removed = suppression::Entity::delete_by_id(mac.clone()).exec(&transaction).await?;
            if let Some(owner) = owners.first().filter(|_| removed.rows_affected > 0) {
                answers::forget(&transaction, mac, answers::Kind::Stopped).await?;
                answers::owe(&transaction, &ask(answers::Kind::Started), owner, now_ms).await?;
            }
            true
        }
        // Strangers get no answer: it would be paid by us and tell them what this number is.
        (Some(_), Reply::Help) => match owners.first() {
            Some(owner) => answers::owe(&transaction, &ask(answers::Kind::Help), owner, now_ms).await.map(|()| true)?,
            None => false,
        },
        (Some(_), Reply::Acknowledge(code)) => acknowledge(office, &transaction, code, &owners).await?,
        _ => false,
    };
    if !understood {
        keep(office, &transaction, gateway, message, owners.first(), now_ms).await?;
    }
    tocsin_platform::database::commit(transaction, "notification.take_reply").await?;
    office.outbox.wake();
    office.answers.wake();
    Ok(())
}

/// The number gets no more messages; whether that is new.
async fn suppress(transaction: &DatabaseTransaction, phone_mac: &str, now_ms: i64) -> Result<bool, DbErr> {
    let row = suppression::Model { phone_mac: phone_mac.to_owned(), since_ms: now_ms }.into_active_model().reset_all();
    let known = OnConflict::column(suppression::Column::PhoneMac).do_nothing().to_owned();
    let written = suppression::Entity::insert(row).on_conflict(known).exec_without_returning(transaction).await?;
    Ok(written > 0)
}

/// Tells dispatch that these contacts acknowledge; false when none of them was told of such an alert.
async fn acknowledge(
    office: &Office,
    transaction: &DatabaseTransaction,
    code: ShortCode,
    owners: &[String],
) -> Result<bool, DbErr> {
    let alerts: Vec<Uuid> = bulletin::Entity::find()
        .select_only()
        .column(bulletin::Column::BulletinId)
        .distinct()
        .filter(bulletin::Column::ShortCode.eq(code.to_string()))
        .filter(bulletin::Column::Kind.eq(crate::render::BulletinKind::Alert.as_str()))
        .limit(NAMESAKES_MAX)
        .into_tuple()
        .all(transaction)
        .await?;
    let notices = notice::Entity::find()
        .filter(notice::Column::BulletinId.is_in(alerts))
        .filter(notice::Column::ContactId.is_in(owners.iter().map(String::as_str)))
        .filter(notice::Column::AcknowledgeToken.ne(""))
        .all(transaction)
        .await?;
    let now = office.clock.now();
    let mut events = std::collections::BTreeMap::new();
    for row in notices {
        let said = ReplyReceived {
            alert_id: row.bulletin_id.to_string(),
            contact_id: row.contact_id.clone(),
            acknowledge_token: row.acknowledge_token,
            channel: Channel::Sms.as_str().to_owned(),
            at: Some(timestamp(now)),
        };
        let aggregate = format!("{}:{}", row.bulletin_id, row.contact_id);
        // Stopping must overtake sending.
        let version = office.clock.now_ms();
        let event = OutgoingEvent::new(&REPLY_RECEIVED, Lane::Urgent, aggregate.clone(), version, &said, now);
        events.insert(aggregate, event);
    }
    let events: Vec<OutgoingEvent> = events.into_values().collect();
    office.outbox.record(transaction, &events).await?;
    Ok(!events.is_empty())
}

/// Keeps what no rule understood, for a person. The log says that it came, never what it says.
async fn keep(
    office: &Office,
    transaction: &DatabaseTransaction,
    gateway: &str,
    message: &Incoming,
    owner: Option<&String>,
    now_ms: i64,
) -> Result<(), Failure> {
    let incoming_id = Uuid::now_v7();
    let text = IncomingText { phone: message.from.clone(), text: message.text.clone() };
    let sealed = text.seal(office.secrets.contact_key(), incoming_id).map_err(|_| Failure::internal("NOT_SEALED"))?;
    let row = incoming::Model {
        incoming_id,
        gateway: gateway.to_owned(),
        message_id: if message.id.is_empty() { incoming_id.to_string() } else { message.id.clone() },
        contact_id: owner.cloned().unwrap_or_default(),
        sealed,
        received_at_ms: now_ms,
    };
    let known = OnConflict::columns([incoming::Column::Gateway, incoming::Column::MessageId]).do_nothing().to_owned();
    let row = row.into_active_model().reset_all();
    let written = incoming::Entity::insert(row).on_conflict(known).exec_without_returning(transaction).await?;
    if written > 0 {
        tracing::warn!(gateway, channel = "sms", "a text message waits for a person: tocsin reads it with ListReplies");
    }
    Ok(())
}

//! Contacts as the workers need them: opened once, kept in memory up to a limit, and never older than their row.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono_tz::Tz;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use tocsin_domain::channel::{Channel, ContactChannels, QuietHours};
use tocsin_domain::language::{Language, LanguageTag};

use super::Details;
use crate::channel::{OpenPgpError, OpenPgpKey, WebhookKeys, WebhookUrl};
use crate::entity::contact;
use crate::mail::rows::suppression;
use crate::mail::suppressions::{Suppression, of_contacts};
use crate::secrets::LocalSecrets;

/// The most contacts in memory.
const CACHED_MAX: usize = 10_000;
/// Ids in one query.
const IDS_A_QUERY: usize = 1_000;

/// One contact, ready to be written to. `Debug` shows the id only.
pub(crate) struct Recipient {
    pub(crate) contact_id: String,
    version: i64,
    pub(crate) organisation_id: Option<String>,
    pub(crate) language: LanguageTag,
    pub(crate) interface: Language,
    pub(crate) time_zone: Tz,
    pub(crate) channels: Vec<Channel>,
    pub(crate) quiet_hours: Option<QuietHours>,
    pub(crate) urgent_overrides_quiet_hours: bool,
    pub(crate) email: Option<lettre::Address>,
    /// Whether its address is written to.
    pub(crate) mail_suppression: Option<Suppression>,
    /// None without a key; an error for one that was good at its import and cannot be read any more.
    pub(crate) openpgp: Option<Result<OpenPgpKey, OpenPgpError>>,
    pub(crate) phone: Option<String>,
    pub(crate) webhook: Option<WebhookUrl>,
    pub(crate) webhook_keys: WebhookKeys,
    pub(crate) webhook_disabled: bool,
    pub(crate) signal: Option<String>,
    pub(crate) matrix: Option<String>,
    pub(crate) shared_word: String,
    webhook_destination: i64,
}

impl std::fmt::Debug for Recipient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Recipient({}, [redacted])", self.contact_id)
    }
}

impl Recipient {
    /// Its row's version, which grows with each change.
    pub(crate) fn version(&self) -> i64 {
        self.version
    }

    /// As far as planning depends on it.
    pub(crate) fn channels(&self) -> ContactChannels<'_> {
        ContactChannels {
            channels: &self.channels,
            quiet_hours: self.quiet_hours,
            time_zone: self.time_zone,
            urgent_overrides_quiet_hours: self.urgent_overrides_quiet_hours,
        }
    }
}

/// All contacts.
pub(crate) struct Directory {
    secrets: Arc<LocalSecrets>,
    loopback_http: bool,
    cached: Mutex<HashMap<String, Arc<Recipient>>>,
    mail_destination: i64,
    sms_destination: i64,
    signal_destination: i64,
    matrix_destination: i64,
}

impl Directory {
    pub(crate) fn new(secrets: Arc<LocalSecrets>, loopback_http: bool) -> Self {
        Self {
            mail_destination: secrets.destination("smarthost"),
            sms_destination: secrets.destination("gateways"),
            signal_destination: secrets.destination("signal"),
            matrix_destination: secrets.destination("matrix"),
            secrets,
            loopback_http,
            cached: Mutex::new(HashMap::new()),
        }
    }

    /// The destination whose limits a notice to this contact on this channel counts against.
    pub(crate) fn destination(&self, recipient: &Recipient, channel: Channel) -> i64 {
        match channel {
            Channel::Email => self.mail_destination,
            Channel::Sms => self.sms_destination,
            Channel::Webhook => recipient.webhook_destination,
            Channel::Signal => self.signal_destination,
            Channel::Matrix => self.matrix_destination,
        }
    }

    /// The contacts of these ids, as their rows stand now; unknown ids are absent.
    pub(crate) async fn load<C: ConnectionTrait>(
        &self,
        connection: &C,
        ids: &[String],
    ) -> Result<HashMap<String, Arc<Recipient>>, DbErr> {
        let mut found = HashMap::with_capacity(ids.len());
        for chunk in ids.chunks(IDS_A_QUERY) {
            let versions: Vec<(String, i64)> = contact::Entity::find()
                .select_only()
                .column(contact::Column::ContactId)
                .column(contact::Column::Version)
                .filter(contact::Column::ContactId.is_in(chunk.iter().map(String::as_str)))
                .into_tuple()
                .all(connection)
                .await?;
            let missing = self.take_cached(versions, &mut found);
            if missing.is_empty() {
                continue;
            }
            for recipient in self.read_anew(connection, &missing).await? {
                self.keep(&recipient);
                found.insert(recipient.contact_id.clone(), recipient);
            }
        }
        Ok(found)
    }

    /// The contacts of these ids, at most a thousand, from their rows and not kept in memory: whoever has changed them in
    /// the same transaction may still fail, and the next change would bear the same version.
    pub(crate) async fn read_anew<C: ConnectionTrait>(
        &self,
        connection: &C,
        ids: &[String],
    ) -> Result<Vec<Arc<Recipient>>, DbErr> {
        let wanted = contact::Column::ContactId.is_in(ids.iter().map(String::as_str));
        let rows = contact::Entity::find().filter(wanted).all(connection).await?;
        // Read after the contacts: one that comes between the two is seen, and grows the version of its contact too.
        let mut suppressed = of_contacts(connection, ids).await?;
        let opened = rows.into_iter().filter_map(|row| {
            let suppression = suppressed.remove(&row.contact_id);
            self.open(row, suppression.as_ref()).map(Arc::new)
        });
        Ok(opened.collect())
    }

    /// Moves what is cached in its present version to `found` and returns the rest.
    fn take_cached(&self, versions: Vec<(String, i64)>, found: &mut HashMap<String, Arc<Recipient>>) -> Vec<String> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing = Vec::new();
        for (id, version) in versions {
            match cached.get(&id).filter(|recipient| recipient.version == version) {
                Some(recipient) => {
                    found.insert(id, Arc::clone(recipient));
                }
                None => missing.push(id),
            }
        }
        missing
    }

    fn keep(&self, recipient: &Arc<Recipient>) {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.len() >= CACHED_MAX && !cached.contains_key(&recipient.contact_id) {
            // Any one will do: what is needed again is read again.
            if let Some(any) = cached.keys().next().cloned() {
                cached.remove(&any);
            }
        }
        cached.insert(recipient.contact_id.clone(), Arc::clone(recipient));
    }

    /// A row that does not open (another master key) makes the contact unknown, and its notices are handed to a person.
    fn open(&self, row: contact::Model, suppression: Option<&suppression::Model>) -> Option<Recipient> {
        let details = Details::open(self.secrets.contact_key(), &row.contact_id, &row.sealed)
            .inspect_err(|_| tracing::error!("a contact does not open under this master key"))
            .ok()?;
        let language: LanguageTag = row.language.parse().ok()?;
        let webhook = WebhookUrl::parse(&details.webhook, self.loopback_http).ok();
        // A suppression is for an address: a contact with a new one is written to.
        let mail_suppression = suppression
            .filter(|row| row.address_mac == self.secrets.address_mac(&details.email))
            .and_then(suppression::Model::read);
        Some(Recipient {
            version: row.version,
            organisation_id: row.organisation_id,
            interface: language.spoken().unwrap_or(Language::En),
            language,
            time_zone: row.time_zone.parse().unwrap_or(Tz::UTC),
            channels: row.channels.split(' ').filter_map(|channel| channel.parse().ok()).collect(),
            quiet_hours: row.quiet_hours.and_then(|hours| hours.parse().ok()),
            urgent_overrides_quiet_hours: row.urgent_overrides_quiet_hours,
            email: details.email.parse().ok(),
            mail_suppression,
            openpgp: Some(&details.openpgp_key).filter(|key| !key.is_empty()).map(|key| OpenPgpKey::parse(key)),
            phone: Some(details.phone.clone()).filter(|phone| !phone.is_empty()),
            webhook_destination: webhook.as_ref().map_or(0, |url| self.secrets.destination(url.destination())),
            webhook,
            webhook_keys: details.webhook_keys(),
            webhook_disabled: row.webhook_disabled,
            signal: Some(details.signal.clone()).filter(|signal| !signal.is_empty()),
            matrix: Some(details.matrix.clone()).filter(|matrix| !matrix.is_empty()),
            shared_word: details.shared_word.clone(),
            contact_id: row.contact_id,
        })
    }
}

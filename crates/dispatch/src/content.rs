//! Released content: opened with dispatch's own key, once for each revision, however many readers ask.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use prost::Message as _;
use tocsin_platform::seal::{self, PublicSealingKey, SealError, Sealed, SealingKeyPair};
use tocsin_proto::event::v1::AlertContent;
use uuid::Uuid;

use crate::entity::alert;

/// Why stored or received content cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    /// It does not open with dispatch's key.
    #[error("the content of an alert does not open")]
    Seal(#[source] SealError),
    /// It opened to something else.
    #[error("the content of an alert is not of the expected form")]
    Malformed,
}

/// What the associated data of an alert's content says.
pub(crate) fn associated(alert: Uuid, revision: i64) -> String {
    format!("alert:{alert}:{revision}")
}

/// Opens content and keeps what was opened last.
pub(crate) struct Contents {
    pair: SealingKeyPair,
    kept_max: usize,
    kept: Mutex<Kept>,
}

type Key = (Uuid, i64);

#[derive(Default)]
struct Kept {
    by_key: HashMap<Key, Arc<AlertContent>>,
    in_order: VecDeque<Key>,
}

impl Contents {
    /// Opens with this pair and keeps at most `kept_max` contents.
    pub(crate) fn new(pair: SealingKeyPair, kept_max: usize) -> Self {
        Self { pair, kept_max, kept: Mutex::new(Kept::default()) }
    }

    /// The key to which content must be sealed.
    pub(crate) fn public(&self) -> &PublicSealingKey {
        self.pair.public()
    }

    /// Opens content that has just arrived.
    pub(crate) fn open(&self, alert: Uuid, revision: i64, sealed: &Sealed) -> Result<Arc<AlertContent>, ContentError> {
        let plaintext = seal::open(&self.pair, &associated(alert, revision), sealed).map_err(ContentError::Seal)?;
        let content = AlertContent::decode(plaintext.as_slice()).map_err(|_| ContentError::Malformed)?;
        let content = Arc::new(content);
        self.keep((alert, revision), Arc::clone(&content));
        Ok(content)
    }

    /// The content of a stored alert; `None` for a tombstone.
    pub(crate) fn of(&self, alert: &alert::Model) -> Result<Option<Arc<AlertContent>>, ContentError> {
        let Some(stored) = &alert.content else { return Ok(None) };
        let key = (alert.alert_id, alert.content_revision);
        let known = self.kept.lock().unwrap_or_else(PoisonError::into_inner).by_key.get(&key).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let sealed = Sealed::from_bytes(stored).map_err(ContentError::Seal)?;
        self.open(alert.alert_id, alert.content_revision, &sealed).map(Some)
    }

    fn keep(&self, key: Key, content: Arc<AlertContent>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.by_key.insert(key, content).is_none() {
            kept.in_order.push_back(key);
        }
        while kept.in_order.len() > self.kept_max {
            if let Some(oldest) = kept.in_order.pop_front() {
                kept.by_key.remove(&oldest);
            }
        }
    }
}

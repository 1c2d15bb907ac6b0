//! Bulletins in memory: what all notices of a release share, its text opened when it is first needed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use prost::Message as _;
use tocsin_domain::language::LanguageTag;
use tocsin_domain::priority::Priority;
use tocsin_domain::tlp::Tlp;
use tocsin_platform::clock::from_ms;
use tocsin_platform::seal::{Sealed, open};
use tocsin_proto::event::v1::AlertTexts;
use uuid::Uuid;

use crate::entity::bulletin::Model;
use crate::render::webhook::SharedBody;
use crate::render::{BulletinKind, Facts, Reading, webhook};
use crate::secrets::LocalSecrets;

/// The most bulletins in memory.
const CACHED_MAX: usize = 64;

/// A bulletin's row does not make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bulletin holds an unknown {0}")]
pub(crate) struct BulletinError(&'static str);

/// One bulletin.
pub(crate) struct Bulletin {
    pub(crate) row: Model,
    pub(crate) facts: Facts,
    pub(crate) source_language: LanguageTag,
    pub(crate) reviewed: Vec<LanguageTag>,
    /// None when there is no text for notices, or it does not open.
    texts: OnceLock<Option<AlertTexts>>,
    bodies: Mutex<HashMap<String, Arc<SharedBody>>>,
}

impl std::fmt::Debug for Bulletin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Bulletin({}, {})", self.row.bulletin_id, self.row.revision)
    }
}

impl Bulletin {
    pub(crate) fn from_row(row: Model) -> Result<Self, BulletinError> {
        let facts = Facts {
            kind: BulletinKind::parse(&row.kind).ok_or(BulletinError("kind"))?,
            short_code: row.short_code.clone(),
            priority: row.priority.parse::<Priority>().map_err(|_| BulletinError("priority"))?,
            tlp: row.tlp.parse::<Tlp>().map_err(|_| BulletinError("TLP"))?,
            deadline: from_ms(row.deadline_at_ms),
            drill: row.drill,
        };
        let source_language = row.source_language.parse().map_err(|_| BulletinError("language"))?;
        let reviewed = row.reviewed_languages.split_whitespace().filter_map(|tag| tag.parse().ok()).collect();
        Ok(Self { row, facts, source_language, reviewed, texts: OnceLock::new(), bodies: Mutex::new(HashMap::new()) })
    }

    /// Whether dispatch is told of its notices: alerts only, not calls to staff.
    pub(crate) fn is_reported(&self) -> bool {
        self.facts.kind == BulletinKind::Alert
    }

    /// The language in which somebody reads it: their own if that text is reviewed, else the source language.
    pub(crate) fn language_for(&self, own: &LanguageTag) -> LanguageTag {
        language_for(own, &self.reviewed, &self.source_language)
    }

    /// The text in a language, if text may travel and was sent to us.
    pub(crate) fn reading(&self, language: &str, secrets: &LocalSecrets) -> Option<Reading<'_>> {
        let texts = self.texts.get_or_init(|| self.opened(secrets)).as_ref()?;
        let text = texts.texts.iter().find(|text| text.language == language)?;
        Some(Reading {
            reference: &texts.reference,
            language: &text.language,
            headline: &text.headline,
            body: &text.body,
        })
    }

    fn opened(&self, secrets: &LocalSecrets) -> Option<AlertTexts> {
        if !self.facts.tlp.allows_text() {
            return None;
        }
        let sealed = Sealed::from_bytes(self.row.sealed_texts.as_deref()?).ok()?;
        let associated = format!("texts:{}:{}", self.row.bulletin_id, self.row.revision);
        let plain = open(&secrets.pair, &associated, &sealed)
            .inspect_err(|_| tracing::error!("the texts of an alert do not open; its notices become pointers"))
            .ok()?;
        AlertTexts::decode(plain.as_slice()).ok()
    }

    /// The part of a webhook's body that is the same for all who read this language.
    pub(crate) fn shared_body(&self, language: &str, secrets: &LocalSecrets) -> Arc<SharedBody> {
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(body) = bodies.get(language) {
            return Arc::clone(body);
        }
        let reading = self.reading(language, secrets);
        let body = webhook::shared(&self.facts, &self.row.bulletin_id.to_string(), self.row.revision, reading);
        let body = Arc::new(body);
        bodies.insert(language.to_owned(), Arc::clone(&body));
        body
    }
}

/// The language of the text that somebody reads.
pub(crate) fn language_for(own: &LanguageTag, reviewed: &[LanguageTag], source: &LanguageTag) -> LanguageTag {
    if reviewed.contains(own) { own.clone() } else { source.clone() }
}

/// The newest bulletins in use.
#[derive(Default)]
pub(crate) struct Bulletins {
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    by_id: HashMap<(Uuid, i32), Arc<Bulletin>>,
    in_order: VecDeque<(Uuid, i32)>,
}

impl Bulletins {
    pub(crate) fn get(&self, id: Uuid, revision: i32) -> Option<Arc<Bulletin>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner).by_id.get(&(id, revision)).cloned()
    }

    /// Keeps a bulletin and forgets the oldest beyond the limit.
    pub(crate) fn keep(&self, bulletin: Arc<Bulletin>) {
        let key = (bulletin.row.bulletin_id, bulletin.row.revision);
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.by_id.insert(key, bulletin).is_none() {
            cached.in_order.push_back(key);
        }
        while cached.in_order.len() > CACHED_MAX {
            if let Some(oldest) = cached.in_order.pop_front() {
                cached.by_id.remove(&oldest);
            }
        }
    }

    /// Which bulletins are in memory, and whether with texts.
    pub(crate) fn with_texts(&self) -> HashMap<(Uuid, i32), bool> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.by_id.iter().map(|(key, bulletin)| (*key, bulletin.row.sealed_texts.is_some())).collect()
    }

    /// Forgets a bulletin, so that it is read anew when it is needed again.
    pub(crate) fn forget(&self, id: Uuid, revision: i32) {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.by_id.remove(&(id, revision));
        cached.in_order.retain(|key| *key != (id, revision));
    }
}

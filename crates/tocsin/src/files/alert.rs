//! The alert of a scenario file, or of a file of its own, as a draft.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tocsin_proto::{common::v1 as common, triage::v1 as triage};

use super::fields::or_default;
use super::{FileError, Text};

/// The handling of an alert that names none.
const TLP_DEFAULT: &str = "AMBER+STRICT";

/// The text, the routing facts and the asks.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Alert {
    #[serde(default, deserialize_with = "or_default")]
    track: String,
    #[serde(default, deserialize_with = "or_default")]
    tlp: String,
    #[serde(default, deserialize_with = "or_default")]
    identity_level: String,
    #[serde(default, deserialize_with = "or_default")]
    asks: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    demands: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    addressees: Vec<Addressee>,
    #[serde(default, deserialize_with = "or_default")]
    named_partners: Vec<String>,
    #[serde(default)]
    sign_on_hours: Option<u32>,
    #[serde(default, deserialize_with = "or_default")]
    source_language: String,
    #[serde(default, deserialize_with = "or_default")]
    texts: BTreeMap<String, AlertText>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Addressee {
    #[serde(default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    reply_days: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct AlertText {
    #[serde(default, deserialize_with = "or_default")]
    headline: String,
    #[serde(default, deserialize_with = "or_default")]
    body: String,
    #[serde(default, deserialize_with = "or_default")]
    translation: String,
}

/// Reads the `alert` object of a scenario standing alone, for `case draft`; also the keys that nobody reads.
pub(crate) fn parse_draft(text: &Text) -> Result<(triage::Draft, Vec<String>), FileError> {
    let parsed = text.parse::<Alert>()?;
    Ok((parsed.value.message(), parsed.ignored))
}

impl Alert {
    /// The draft that triage is asked to keep.
    pub(super) fn message(&self) -> triage::Draft {
        triage::Draft {
            track: self.track.clone(),
            tlp: if self.tlp.is_empty() { TLP_DEFAULT.to_owned() } else { self.tlp.clone() },
            identity_level: self.identity_level.clone(),
            asks: self.asks.clone(),
            demands: self.demands.clone(),
            addressees: self.addressees.iter().map(Addressee::message).collect(),
            named_partners: self.named_partners.clone(),
            sign_on_hours: self.sign_on_hours,
            source_language: self.source_language.clone(),
            texts: self.texts(),
            ..triage::Draft::default()
        }
    }

    /// The texts, the source first.
    fn texts(&self) -> Vec<common::AlertText> {
        let mut texts: Vec<_> = self
            .texts
            .iter()
            .map(|(language, text)| common::AlertText {
                language: language.clone(),
                headline: text.headline.clone(),
                body: text.body.clone(),
                translation: text.translation.clone(),
            })
            .collect();
        texts.sort_by_key(|text| text.language != self.source_language);
        texts
    }
}

impl Addressee {
    fn message(&self) -> common::Addressee {
        common::Addressee { kind: self.kind.clone(), name: self.name.clone(), reply_days: self.reply_days }
    }
}

//! Drafts between wire, store and domain.

use std::collections::BTreeMap;

use tocsin_domain::alert::{Addressee, AlertText, Draft};
use tocsin_domain::language::LanguageTag;
use tocsin_domain::tlp::Tlp;
use tocsin_platform::failure::Failure;
use tocsin_proto::common::v1 as common;
use tocsin_proto::triage::v1 as wire;

use super::Fields;

/// Reads a draft, as it is given or as it was stored. An empty label is AMBER+STRICT.
pub(crate) fn draft(given: &wire::Draft) -> Result<Draft, Failure> {
    let mut fields = Fields::default();
    let track = fields.parse("draft.track", &given.track);
    let tlp = if given.tlp.is_empty() { Some(Tlp::default()) } else { fields.parse("draft.tlp", &given.tlp) };
    let identity_level = fields.parse("draft.identity_level", &given.identity_level);
    let asks = fields.parse_list("draft.asks", &given.asks);
    let demands = fields.parse_list("draft.demands", &given.demands);
    let named_partners = fields.parse_list("draft.named_partners", &given.named_partners);
    let source_language = fields.parse("draft.source_language", &given.source_language);
    let addressees = addressees(&given.addressees, &mut fields);
    let texts = texts(&given.texts, &mut fields);
    let decoded = (|| {
        Some(Draft {
            track: track?,
            tlp: tlp?,
            identity_level: identity_level?,
            asks,
            demands,
            addressees,
            named_partners,
            sign_on_hours: given.sign_on_hours,
            source_language: source_language?,
            texts,
            drill: false,
        })
    })();
    if let Some(decoded) = &decoded {
        fields.faults("draft.", decoded.violations());
    }
    fields.finish("DRAFT_INVALID", decoded)
}

fn addressees(given: &[common::Addressee], fields: &mut Fields) -> Vec<Addressee> {
    let mut addressees = Vec::with_capacity(given.len());
    for (index, addressee) in given.iter().enumerate() {
        if let Some(kind) = fields.parse(format!("draft.addressees[{index}].kind"), &addressee.kind) {
            // Zero days on the wire means that no reply is asked for.
            let reply_days = (addressee.reply_days > 0).then_some(addressee.reply_days);
            addressees.push(Addressee { kind, name: addressee.name.clone(), reply_days });
        }
    }
    addressees
}

fn texts(given: &[common::AlertText], fields: &mut Fields) -> BTreeMap<LanguageTag, AlertText> {
    let mut texts = BTreeMap::new();
    for (index, text) in given.iter().enumerate() {
        let place = format!("draft.texts[{index}].language");
        let language: Option<LanguageTag> = fields.parse(place.clone(), &text.language);
        let translation = fields.parse(format!("draft.texts[{index}].translation"), &text.translation);
        if let (Some(language), Some(translation)) = (language, translation) {
            let entry = AlertText { headline: text.headline.clone(), body: text.body.clone(), translation };
            if texts.insert(language, entry).is_some() {
                fields.fault(place, "is given twice");
            }
        }
    }
    texts
}

/// The wire form of a draft that was checked, without its id, version, author and state.
pub(crate) fn to_wire(draft: &Draft) -> wire::Draft {
    wire::Draft {
        track: draft.track.to_string(),
        tlp: draft.tlp.to_string(),
        identity_level: draft.identity_level.to_string(),
        asks: draft.asks.iter().map(ToString::to_string).collect(),
        demands: draft.demands.iter().map(ToString::to_string).collect(),
        addressees: addressees_to_wire(draft),
        named_partners: draft.named_partners.iter().map(ToString::to_string).collect(),
        sign_on_hours: draft.sign_on_hours,
        source_language: draft.source_language.to_string(),
        texts: texts_to_wire(draft, |_| true),
        ..wire::Draft::default()
    }
}

/// The addressees on the wire.
pub(crate) fn addressees_to_wire(draft: &Draft) -> Vec<common::Addressee> {
    draft
        .addressees
        .iter()
        .map(|addressee| common::Addressee {
            kind: addressee.kind.to_string(),
            name: addressee.name.clone(),
            reply_days: addressee.reply_days.unwrap_or(0),
        })
        .collect()
}

/// The texts of the chosen languages on the wire.
pub(crate) fn texts_to_wire(draft: &Draft, chosen: impl Fn(&LanguageTag) -> bool) -> Vec<common::AlertText> {
    draft
        .texts
        .iter()
        .filter(|(language, _)| chosen(language))
        .map(|(language, text)| common::AlertText {
            language: language.to_string(),
            headline: text.headline.clone(),
            body: text.body.clone(),
            translation: text.translation.to_string(),
        })
        .collect()
}

//! Sources between wire, store and domain.

use tocsin_domain::verification::Source;
use tocsin_platform::failure::Failure;
use tocsin_proto::triage::v1 as wire;

use super::Fields;

/// Reads a source; `known` are the sources recorded before it, in order.
pub(crate) fn source(given: &wire::Source, known: &[wire::Source]) -> Result<Source, Failure> {
    let mut fields = Fields::default();
    let link = fields.parse("source.link", &given.link);
    let reliability = fields.parse("source.reliability", &given.reliability);
    let information = fields.parse("source.information", &given.information);
    let relays = if given.relays_source_id.is_empty() {
        None
    } else {
        let place = known.iter().position(|source| source.source_id == given.relays_source_id);
        if place.is_none() {
            fields.fault("source.relays_source_id", "names no source of this case");
        }
        place
    };
    let decoded = (|| {
        Some(Source {
            link: link?,
            reliability: reliability?,
            information: information?,
            first_hand: given.first_hand,
            relays,
        })
    })();
    fields.finish("SOURCE_INVALID", decoded)
}

/// The domain's view of all the sources of a case, as they were stored.
pub(crate) fn sources(stored: &[wire::Source]) -> Result<Vec<Source>, Failure> {
    stored.iter().map(|one| source(one, stored)).collect()
}

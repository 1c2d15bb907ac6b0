//! What an assessor sends, from wire to domain.

use tocsin_domain::codes::Claim;
use tocsin_domain::priority::Priority;
use tocsin_domain::score::{Factors, Override};
use tocsin_platform::failure::Failure;
use tocsin_proto::triage::v1 as wire;

use super::{Fields, present};

/// A decoded assessment.
#[derive(Debug)]
pub(crate) struct Assessing {
    pub(crate) factors: Factors,
    pub(crate) overrides: Vec<Override>,
    pub(crate) claim: Claim,
    /// A person's own decision against the computed priority, with the reason.
    pub(crate) changed: Option<(Priority, String)>,
}

/// Reads an assessment.
pub(crate) fn assessing(request: &wire::AssessCaseRequest) -> Result<Assessing, Failure> {
    let given = present("factors", request.factors.as_ref())?;
    let mut fields = Fields::default();
    let overrides = fields.parse_list("overrides", &request.overrides);
    let claim = fields.parse("claim", &request.claim);
    let priority: Option<Priority> = fields.parse_optional("changed_priority", &request.changed_priority);
    fields.optional_text("changed_reason", &request.changed_reason);
    if priority.is_some() && request.changed_reason.trim().is_empty() {
        fields.fault("changed_reason", "a changed priority needs a reason");
    }
    let decoded = claim.map(|claim| Assessing {
        factors: factors(given),
        overrides,
        claim,
        changed: priority.map(|priority| (priority, request.changed_reason.clone())),
    });
    fields.finish("ASSESSMENT_INVALID", decoded)
}

fn factors(given: &wire::Factors) -> Factors {
    Factors {
        gravity: points(given.gravity),
        imminence: points(given.imminence),
        intent_and_means: points(given.intent_and_means),
        specific_direct_threat: given.specific_direct_threat,
        earlier_attack_on_person: given.earlier_attack_on_person,
        earlier_attack_on_colleagues: given.earlier_attack_on_colleagues,
        rising_series: given.rising_series,
        vulnerability: points(given.vulnerability),
        irreparability: points(given.irreparability),
        capacity: points(given.capacity),
    }
}

/// What does not fit is far out of any range, which the score refuses by name.
fn points(given: u32) -> i32 {
    i32::try_from(given).unwrap_or(i32::MAX)
}

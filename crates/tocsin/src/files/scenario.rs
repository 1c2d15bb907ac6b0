//! A scenario file: a report and everything that people then decide about it, for the demonstration and for drafts.
//!
//! It is read leniently: what the services judge (codes, ranges, what is missing) is left to them, so that a scenario
//! can show a refusal.

use std::path::Path;

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tocsin_proto::{intake::v1 as intake, triage::v1 as triage};

use super::alert::Alert;
use super::consent::Consent;
use super::fields::{moment, or_default, text_or_number};
use super::{FileError, Text, report};

/// A scenario as its file says it.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// What it is called.
    pub(crate) title: String,
    /// The body of `POST /v1/reports`, as it stands in the file.
    pub(crate) report: Value,
    /// The same, read: a report that this program cannot read is refused here already.
    pub(super) report_message: intake::Report,
    sources: Vec<ScenarioSource>,
    consent: Vec<Consent>,
    assessment: Assessment,
    alert: Alert,
    /// Paths of keys that nobody reads.
    pub(crate) ignored: Vec<String>,
}

/// A source, in the order in which sources must be recorded.
#[derive(Debug, Clone)]
pub(crate) struct ScenarioSource {
    /// Without ids: `relays_source_id` is to be filled in once the source that it relays has been recorded.
    pub(crate) message: triage::Source,
    /// Which of the earlier sources of the list this one only relays.
    pub(crate) relays: Option<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ScenarioFile {
    #[serde(default, deserialize_with = "or_default")]
    title: String,
    #[serde(default)]
    pattern: Value,
    report: Value,
    #[serde(default, deserialize_with = "or_default")]
    sources: Vec<Source>,
    #[serde(default, deserialize_with = "or_default")]
    consent: Vec<Consent>,
    #[serde(default, deserialize_with = "or_default")]
    assessment: Assessment,
    #[serde(default, deserialize_with = "or_default")]
    alert: Alert,
    #[serde(default)]
    expect: Value,
}

#[derive(Debug, Serialize, Deserialize)]
struct Source {
    #[serde(default, deserialize_with = "or_default")]
    link: String,
    #[serde(default, deserialize_with = "or_default")]
    reliability: String,
    #[serde(default, deserialize_with = "text_or_number")]
    information: String,
    #[serde(default, deserialize_with = "or_default")]
    first_hand: bool,
    #[serde(default)]
    relays: Option<usize>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Assessment {
    #[serde(default)]
    expected_priority: Option<String>,
    #[serde(default)]
    expected_score: Value,
    #[serde(default, deserialize_with = "or_default")]
    claim: String,
    #[serde(default, deserialize_with = "or_default")]
    factors: Factors,
    #[serde(default, deserialize_with = "or_default")]
    overrides: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and the wire has the same")]
struct Factors {
    #[serde(default, deserialize_with = "or_default")]
    gravity: u32,
    #[serde(default, deserialize_with = "or_default")]
    imminence: u32,
    #[serde(default, deserialize_with = "or_default")]
    intent_and_means: u32,
    #[serde(default, deserialize_with = "or_default")]
    specific_direct_threat: bool,
    #[serde(default, deserialize_with = "or_default")]
    earlier_attack_on_person: bool,
    #[serde(default, deserialize_with = "or_default")]
    earlier_attack_on_colleagues: bool,
    #[serde(default, deserialize_with = "or_default")]
    rising_series: bool,
    #[serde(default, deserialize_with = "or_default")]
    vulnerability: u32,
    #[serde(default, deserialize_with = "or_default")]
    irreparability: u32,
    #[serde(default, deserialize_with = "or_default")]
    capacity: u32,
}

impl Scenario {
    /// Reads a scenario file; `-` is standard input. Keys that nobody reads are named on standard error.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let text = super::read(path)?;
        let scenario = Self::parse(&text)?;
        super::warn_of_ignored(&text.name, &scenario.ignored);
        Ok(scenario)
    }

    /// The pure half of [`Scenario::read`].
    pub(crate) fn parse(text: &Text) -> Result<Self, FileError> {
        let parsed = text.parse::<ScenarioFile>()?;
        let file = parsed.value;
        let report_message = report::parse_part(text, "report", &file.report)?;
        Ok(Self {
            title: file.title,
            report: file.report,
            report_message,
            sources: in_order(text, &file.sources)?,
            consent: file.consent,
            assessment: file.assessment,
            alert: file.alert,
            ignored: parsed.ignored,
        })
    }

    /// When the report says it was written; `None` when it says nothing that is a moment.
    pub(crate) fn submitted_at(&self) -> Option<DateTime<FixedOffset>> {
        moment(&self.report_message.submitted_at).ok()
    }

    /// The sources in the order in which they can be recorded: what is relayed before what relays it.
    pub(crate) fn sources(&self) -> &[ScenarioSource] {
        &self.sources
    }

    /// The consents, in the order of the file: of one who, purpose and audience the last counts.
    pub(crate) fn consents(&self) -> Vec<triage::ConsentRecord> {
        self.consent.iter().map(Consent::message).collect()
    }

    /// What the coordinator weighs.
    pub(crate) fn factors(&self) -> triage::Factors {
        self.assessment.factors.message()
    }

    /// Facts that make it P1 whatever the score says.
    pub(crate) fn overrides(&self) -> Vec<String> {
        self.assessment.overrides.clone()
    }

    /// How certain the claim is.
    pub(crate) fn claim(&self) -> String {
        self.assessment.claim.clone()
    }

    /// The priority that the writer of the file expects.
    pub(crate) fn expected_priority(&self) -> Option<&str> {
        self.assessment.expected_priority.as_deref()
    }

    /// The alert to be drafted.
    pub(crate) fn draft(&self) -> triage::Draft {
        self.alert.message()
    }
}

/// Reads the `factors` object of a scenario standing alone, for `case assess`; also the keys that nobody reads.
pub(crate) fn parse_factors(text: &Text) -> Result<(triage::Factors, Vec<String>), FileError> {
    let parsed = text.parse::<Factors>()?;
    Ok((parsed.value.message(), parsed.ignored))
}

/// Puts what is relayed before what relays it; a circle of relays has no first source.
fn in_order(text: &Text, sources: &[Source]) -> Result<Vec<ScenarioSource>, FileError> {
    let given = sources.len();
    let mut placed: Vec<Option<usize>> = vec![None; given];
    let mut ordered: Vec<ScenarioSource> = Vec::with_capacity(given);
    loop {
        let before = ordered.len();
        for (index, source) in sources.iter().enumerate() {
            let relays = source.relays.map(|relayed| placed.get(relayed).copied().flatten());
            if placed.get(index).is_some_and(Option::is_none)
                && relays != Some(None)
                && let Some(place) = placed.get_mut(index)
            {
                *place = Some(ordered.len());
                ordered.push(ScenarioSource { message: source.message(), relays: relays.flatten() });
            }
        }
        if ordered.len() == given {
            return Ok(ordered);
        }
        if ordered.len() == before {
            let stuck = placed.iter().position(Option::is_none).unwrap_or_default();
            let expected = "expected the index, from 0, of another source that does not itself relay this one";
            return Err(text.wrong_at(&format!("sources[{stuck}].relays"), expected));
        }
    }
}

impl Source {
    fn message(&self) -> triage::Source {
        triage::Source {
            link: self.link.clone(),
            reliability: self.reliability.clone(),
            information: self.information.clone(),
            first_hand: self.first_hand,
            ..triage::Source::default()
        }
    }
}

impl Factors {
    fn message(&self) -> triage::Factors {
        triage::Factors {
            gravity: self.gravity,
            imminence: self.imminence,
            intent_and_means: self.intent_and_means,
            specific_direct_threat: self.specific_direct_threat,
            earlier_attack_on_person: self.earlier_attack_on_person,
            earlier_attack_on_colleagues: self.earlier_attack_on_colleagues,
            rising_series: self.rising_series,
            vulnerability: self.vulnerability,
            irreparability: self.irreparability,
            capacity: self.capacity,
        }
    }
}

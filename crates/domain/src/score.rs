//! The risk score: explainable, versioned, and never able to release anything.

use serde::{Deserialize, Serialize};

use crate::codes::{Kind, code_list};
use crate::priority::Priority;

code_list! {
    /// A fact that makes a case P1 whatever its score.
    Override in "overrides" {
        Disappearance = "disappearance", DatedDeathThreat = "dated_death_threat", ArmedPresent = "armed_present",
        ImminentDeportation = "imminent_deportation", Duress = "duress", MissedCheckIn = "missed_check_in",
    }
}

/// What an assessor found. Points are within the maxima of the [`Weights`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "four facts of the person's history, each recorded or not")]
pub struct Factors {
    /// How grave the threatened harm is, 0 to 15.
    pub gravity: i32,
    /// How near it is, 0 to 15.
    pub imminence: i32,
    /// How willing and able the adversary is, 0 to 10.
    pub intent_and_means: i32,
    /// A specific threat was made to this very person.
    #[serde(default)]
    pub specific_direct_threat: bool,
    /// The person was attacked before.
    #[serde(default)]
    pub earlier_attack_on_person: bool,
    /// Colleagues or others in the area were attacked before.
    #[serde(default)]
    pub earlier_attack_on_colleagues: bool,
    /// The incidents become more or graver.
    #[serde(default)]
    pub rising_series: bool,
    /// How exposed the person is, 0 to 20.
    pub vulnerability: i32,
    /// How little of the harm could be undone, 0 to 20.
    pub irreparability: i32,
    /// What the person and those around them can do about it, 0 to 15. It is taken off.
    pub capacity: i32,
}

/// The weights of the score: configuration, with a version that every score names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// Names this set of weights; change it with any of them.
    pub version: String,
    /// The most points for gravity.
    pub gravity_max: i32,
    /// The most points for imminence.
    pub imminence_max: i32,
    /// The most points for intent and means.
    pub intent_and_means_max: i32,
    /// Points for a specific direct threat.
    pub specific_direct_threat: i32,
    /// Points for an earlier attack on the person.
    pub earlier_attack_on_person: i32,
    /// Points for an earlier attack on colleagues or in the area.
    pub earlier_attack_on_colleagues: i32,
    /// Points for a rising series.
    pub rising_series: i32,
    /// The most points for vulnerability.
    pub vulnerability_max: i32,
    /// The most points for irreparability.
    pub irreparability_max: i32,
    /// The most points that capacity takes off.
    pub capacity_max: i32,
    /// The most that capacity takes off once a specific direct threat is recorded.
    pub capacity_under_direct_threat_max: i32,
    /// P1 from this total.
    pub p1_from: i32,
    /// P2 from this total.
    pub p2_from: i32,
    /// P3 from this total.
    pub p3_from: i32,
    /// The kinds that make a case P1 whatever its total.
    pub override_kinds: Vec<Kind>,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            version: "2026-1".to_owned(),
            gravity_max: 15,
            imminence_max: 15,
            intent_and_means_max: 10,
            specific_direct_threat: 8,
            earlier_attack_on_person: 6,
            earlier_attack_on_colleagues: 4,
            rising_series: 2,
            vulnerability_max: 20,
            irreparability_max: 20,
            capacity_max: 15,
            capacity_under_direct_threat_max: 5,
            p1_from: 70,
            p2_from: 45,
            p3_from: 20,
            override_kinds: vec![Kind::EnforcedDisappearance, Kind::IncommunicadoDetention],
        }
    }
}

/// A factor outside its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be 0 to {maximum}, not {given}")]
pub struct FactorOutOfRange {
    /// The field of [`Factors`].
    pub field: &'static str,
    /// The most it may be.
    pub maximum: i32,
    /// What was given.
    pub given: i32,
}

/// What one factor adds to the score, or takes off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// The field of [`Factors`].
    pub name: String,
    /// Its points; capacity's are negative.
    pub points: i32,
    /// The most that the factor could count, without sign.
    pub maximum: i32,
    /// Why it counts so, in a sentence.
    pub explanation: String,
}

/// A score with everything that led to it. The contributions add up to the total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// The sum of the contributions, from -15 to 100 with the default weights.
    pub total: i32,
    /// Every factor, in the order of [`Factors`].
    pub contributions: Vec<Contribution>,
    /// The codes (kinds, then overrides) that make the case P1 by themselves.
    pub overrides: Vec<String>,
    /// The priority that follows.
    pub priority: Priority,
    /// The weights that were used.
    pub weights_version: String,
}

/// Weighs the factors of a case.
pub fn score(
    factors: &Factors,
    kinds: &[Kind],
    overrides: &[Override],
    weights: &Weights,
) -> Result<Score, FactorOutOfRange> {
    let contributions = vec![
        graded("gravity", factors.gravity, weights.gravity_max)?,
        graded("imminence", factors.imminence, weights.imminence_max)?,
        graded("intent_and_means", factors.intent_and_means, weights.intent_and_means_max)?,
        recorded("specific_direct_threat", factors.specific_direct_threat, weights.specific_direct_threat),
        recorded("earlier_attack_on_person", factors.earlier_attack_on_person, weights.earlier_attack_on_person),
        recorded(
            "earlier_attack_on_colleagues",
            factors.earlier_attack_on_colleagues,
            weights.earlier_attack_on_colleagues,
        ),
        recorded("rising_series", factors.rising_series, weights.rising_series),
        graded("vulnerability", factors.vulnerability, weights.vulnerability_max)?,
        graded("irreparability", factors.irreparability, weights.irreparability_max)?,
        capacity(factors, weights)?,
    ];
    let total = contributions.iter().map(|contribution| contribution.points).sum();
    let overrides = overriding(kinds, overrides, weights);
    let priority = if overrides.is_empty() { band(total, weights) } else { Priority::P1 };
    Ok(Score { total, contributions, overrides, priority, weights_version: weights.version.clone() })
}

fn overriding(kinds: &[Kind], overrides: &[Override], weights: &Weights) -> Vec<String> {
    let kinds = kinds.iter().filter(|kind| weights.override_kinds.contains(kind)).map(|kind| kind.as_str());
    let mut codes: Vec<String> = Vec::new();
    for code in kinds.chain(overrides.iter().map(|code| code.as_str())) {
        if !codes.iter().any(|known| known == code) {
            codes.push(code.to_owned());
        }
    }
    codes
}

fn band(total: i32, weights: &Weights) -> Priority {
    match total {
        total if total >= weights.p1_from => Priority::P1,
        total if total >= weights.p2_from => Priority::P2,
        total if total >= weights.p3_from => Priority::P3,
        _ => Priority::P4,
    }
}

fn in_range(field: &'static str, given: i32, maximum: i32) -> Result<i32, FactorOutOfRange> {
    if (0..=maximum).contains(&given) { Ok(given) } else { Err(FactorOutOfRange { field, maximum, given }) }
}

fn graded(name: &'static str, given: i32, maximum: i32) -> Result<Contribution, FactorOutOfRange> {
    let points = in_range(name, given, maximum)?;
    let explanation = format!("assessed at {points} of {maximum}");
    Ok(Contribution { name: name.to_owned(), points, maximum, explanation })
}

fn recorded(name: &str, present: bool, maximum: i32) -> Contribution {
    let (points, explanation) =
        if present { (maximum, format!("recorded, counts {maximum}")) } else { (0, "not recorded".to_owned()) };
    Contribution { name: name.to_owned(), points, maximum, explanation }
}

fn capacity(factors: &Factors, weights: &Weights) -> Result<Contribution, FactorOutOfRange> {
    let given = in_range("capacity", factors.capacity, weights.capacity_max)?;
    let maximum =
        if factors.specific_direct_threat { weights.capacity_under_direct_threat_max } else { weights.capacity_max };
    let counted = given.min(maximum);
    let explanation = if counted < given {
        format!("assessed at {given}, but takes off at most {maximum} once a specific direct threat is recorded")
    } else {
        format!("assessed at {given} of {}, taken off", weights.capacity_max)
    };
    Ok(Contribution { name: "capacity".to_owned(), points: -counted, maximum, explanation })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_scenarios_score_as_expected() {
        check_scenario(include_str!("../../../fixtures/scenarios/dam-eviction.json"));
        check_scenario(include_str!("../../../fixtures/scenarios/lawyer-harassment.json"));
        check_scenario(include_str!("../../../fixtures/scenarios/workshop-detention.json"));
    }

    #[test]
    fn bands_begin_where_the_weights_say() {
        for (total, expected) in [(70, "p1"), (69, "p2"), (45, "p2"), (44, "p3"), (20, "p3"), (19, "p4"), (-15, "p4")] {
            assert_eq!(band(total, &Weights::default()).as_str(), expected, "{total}");
        }
    }

    #[test]
    fn an_override_makes_p1_whatever_the_total() {
        let kinds = [Kind::IncommunicadoDetention, Kind::Summons];
        let overrides = [Override::Duress, Override::Duress];
        let score = score(&Factors::default(), &kinds, &overrides, &Weights::default()).unwrap();
        assert_eq!(score.overrides, ["incommunicado_detention", "duress"]);
        assert_eq!((score.total, score.priority), (0, Priority::P1));
    }

    #[test]
    fn a_factor_out_of_range_is_named() {
        let factors = Factors { vulnerability: 21, ..Factors::default() };
        check_refused(&factors, "vulnerability must be 0 to 20, not 21");
        check_refused(&Factors { capacity: -1, ..Factors::default() }, "capacity must be 0 to 15, not -1");
    }

    proptest! {
        #[test]
        fn contributions_add_up_and_capacity_is_limited(
            points in (0..=15, 0..=15, 0..=10, 0..=20, 0..=20, 0..=15),
            facts in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        ) {
            let factors = Factors {
                gravity: points.0, imminence: points.1, intent_and_means: points.2,
                specific_direct_threat: facts.0, earlier_attack_on_person: facts.1,
                earlier_attack_on_colleagues: facts.2, rising_series: facts.3,
                vulnerability: points.3, irreparability: points.4, capacity: points.5,
            };
            let score = score(&factors, &[], &[], &Weights::default()).unwrap();
            prop_assert_eq!(score.contributions.iter().map(|one| one.points).sum::<i32>(), score.total);
            prop_assert!((-15..=100).contains(&score.total));
            let capacity = score.contributions.last().unwrap();
            prop_assert_eq!(capacity.points, -points.5.min(if facts.0 { 5 } else { 15 }));
        }
    }

    fn check_refused(factors: &Factors, expected: &str) {
        assert_eq!(score(factors, &[], &[], &Weights::default()).unwrap_err().to_string(), expected);
    }

    fn check_scenario(json: &str) {
        let scenario: serde_json::Value = serde_json::from_str(json).unwrap();
        let assessment = &scenario["assessment"];
        let factors: Factors = serde_json::from_value(assessment["factors"].clone()).unwrap();
        let kinds: Vec<Kind> = serde_json::from_value(scenario["report"]["kinds"].clone()).unwrap();
        let score = score(&factors, &kinds, &[], &Weights::default()).unwrap();
        assert_eq!(i64::from(score.total), assessment["expected_score"].as_i64().unwrap());
        assert_eq!(score.priority.as_str(), assessment["expected_priority"].as_str().unwrap());
    }
}

//! A scenario in the form of `fixtures/scenarios`, as the messages that people would send.

use chrono::DateTime;
use serde_json::Value;
use tocsin_proto::common::v1::{Addressee, AlertText};
use tocsin_proto::triage::v1::{ConsentLimits, ConsentRecord, Draft, Factors, Source};

use crate::Outcome;
use crate::network::{list, text, texts};
use crate::program::fixture_json;

/// A scenario file.
#[derive(Debug, Clone)]
pub struct Scenario(pub Value);

impl Scenario {
    /// The members' alert of the fixtures without its date, which has passed on today's clock.
    pub fn for_today() -> Outcome<Self> {
        let mut scenario = fixture_json("scenarios/workshop-detention.json")?;
        scenario["report"]["adversary_date"] = Value::Null;
        Ok(Self(scenario))
    }

    /// The body of `POST /v1/reports`.
    pub fn report(&self) -> &Value {
        &self.0["report"]
    }

    /// Sources with the index of the earlier one that each relays.
    pub fn sources(&self) -> Vec<(Source, Option<usize>)> {
        list(&self.0, "sources")
            .iter()
            .map(|one| {
                let source = Source {
                    link: text(one, "link"),
                    reliability: text(one, "reliability"),
                    information: text(one, "information"),
                    first_hand: one["first_hand"].as_bool().unwrap_or_default(),
                    ..Source::default()
                };
                (source, one["relays"].as_u64().and_then(|index| usize::try_from(index).ok()))
            })
            .collect()
    }

    /// Consents in the order of the file.
    pub fn consents(&self) -> Vec<ConsentRecord> {
        list(&self.0, "consent").iter().map(consent).collect()
    }

    /// What the coordinator weighs.
    pub fn factors(&self) -> Factors {
        let factors = &self.0["assessment"]["factors"];
        let number =
            |key: &str| factors[key].as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or_default();
        let fact = |key: &str| factors[key].as_bool().unwrap_or_default();
        Factors {
            gravity: number("gravity"),
            imminence: number("imminence"),
            intent_and_means: number("intent_and_means"),
            specific_direct_threat: fact("specific_direct_threat"),
            earlier_attack_on_person: fact("earlier_attack_on_person"),
            earlier_attack_on_colleagues: fact("earlier_attack_on_colleagues"),
            rising_series: fact("rising_series"),
            vulnerability: number("vulnerability"),
            irreparability: number("irreparability"),
            capacity: number("capacity"),
        }
    }

    /// Facts that make it P1 whatever the score.
    pub fn overrides(&self) -> Vec<String> {
        texts(&self.0["assessment"], "overrides")
    }

    /// How certain the claim is.
    pub fn claim(&self) -> String {
        text(&self.0["assessment"], "claim")
    }

    /// The alert to draft.
    pub fn draft(&self) -> Draft {
        let alert = &self.0["alert"];
        let texts_of = |object: &Value| -> Vec<AlertText> {
            let entries = object["texts"].as_object().into_iter().flatten();
            entries
                .map(|(language, one)| AlertText {
                    language: language.clone(),
                    headline: text(one, "headline"),
                    body: text(one, "body"),
                    translation: text(one, "translation"),
                })
                .collect()
        };
        Draft {
            track: text(alert, "track"),
            tlp: text(alert, "tlp"),
            identity_level: text(alert, "identity_level"),
            asks: texts(alert, "asks"),
            demands: texts(alert, "demands"),
            addressees: list(alert, "addressees")
                .iter()
                .map(|one| Addressee {
                    kind: text(one, "kind"),
                    name: text(one, "name"),
                    reply_days: one["reply_days"]
                        .as_u64()
                        .and_then(|days| u32::try_from(days).ok())
                        .unwrap_or_default(),
                })
                .collect(),
            named_partners: texts(alert, "named_partners"),
            sign_on_hours: alert["sign_on_hours"].as_u64().and_then(|hours| u32::try_from(hours).ok()),
            source_language: text(alert, "source_language"),
            texts: texts_of(alert),
            ..Draft::default()
        }
    }
}

fn consent(one: &Value) -> ConsentRecord {
    let expires_at = DateTime::parse_from_rfc3339(&text(one, "expires_at")).ok();
    ConsentRecord {
        who: text(one, "who"),
        purpose: text(one, "purpose"),
        audience: text(one, "audience"),
        identity_level: text(one, "identity_level"),
        status: text(one, "status"),
        form: text(one, "form"),
        reason: text(one, "reason"),
        limits: one["limits"].is_object().then(|| ConsentLimits {
            organisations: texts(&one["limits"], "organisations"),
            languages: texts(&one["limits"], "languages"),
            unchecked: texts(&one["limits"], "unchecked"),
        }),
        expires_at: expires_at.map(|at| prost_types::Timestamp { seconds: at.timestamp(), nanos: 0 }),
        ..ConsentRecord::default()
    }
}

//! A scenario as its file gives it, in the form of the wire.

use serde_json::Value;
use tocsin_proto::common::v1 as common;
use tocsin_proto::intake::v1 as intake;
use tocsin_proto::triage::v1 as wire;

/// A scenario of the folder `fixtures`.
pub(super) struct Scenario {
    json: Value,
}

impl Scenario {
    /// Ten people held at a workshop: track members, P1.
    pub(super) fn workshop() -> Self {
        let text = include_str!("../../../../fixtures/scenarios/workshop-detention.json");
        Self { json: serde_json::from_str(text).unwrap() }
    }

    /// An announced eviction: track public, CLEAR, three languages, an adversary's date.
    pub(super) fn dam() -> Self {
        let text = include_str!("../../../../fixtures/scenarios/dam-eviction.json");
        Self { json: serde_json::from_str(text).unwrap() }
    }

    pub(super) fn report(&self) -> intake::Report {
        let report = &self.json["report"];
        intake::Report {
            reporter: Some(intake::Reporter {
                relation: text(&report["reporter"]["relation"]),
                organisation_id: text(&report["reporter"]["organisation_id"]),
                language: text(&report["reporter"]["language"]),
            }),
            submitted_at: text(&report["submitted_at"]),
            country: text(&report["country"]),
            place_type: text(&report["place_type"]),
            subject: Some(intake::Subject {
                unit: text(&report["subject"]["unit"]),
                count: number(&report["subject"]["count"]),
            }),
            kinds: texts(&report["kinds"]),
            actors: list(&report["actors"])
                .iter()
                .map(|actor| intake::ReportedActor { code: text(&actor["code"]), degree: text(&actor["degree"]) })
                .collect(),
            groups: texts(&report["groups"]),
            phase: text(&report["phase"]),
            support_asked: texts(&report["support_asked"]),
            adversary_date: report["adversary_date"]
                .as_object()
                .map(|date| intake::AdversaryDate { kind: text(&date["kind"]), at: text(&date["at"]) }),
            safe_contact: None,
            narrative: text(&report["narrative"]),
        }
    }

    /// The sources, without what relays what: a test says so itself.
    pub(super) fn sources(&self) -> Vec<wire::Source> {
        list(&self.json["sources"])
            .iter()
            .map(|source| wire::Source {
                link: text(&source["link"]),
                reliability: text(&source["reliability"]),
                information: text(&source["information"]),
                first_hand: source["first_hand"].as_bool().unwrap_or(false),
                ..wire::Source::default()
            })
            .collect()
    }

    pub(super) fn consents(&self) -> Vec<wire::ConsentRecord> {
        list(&self.json["consent"])
            .iter()
            .map(|consent| wire::ConsentRecord {
                who: text(&consent["who"]),
                purpose: text(&consent["purpose"]),
                audience: text(&consent["audience"]),
                identity_level: text(&consent["identity_level"]),
                status: text(&consent["status"]),
                form: text(&consent["form"]),
                ..wire::ConsentRecord::default()
            })
            .collect()
    }

    pub(super) fn factors(&self) -> wire::Factors {
        let factors = &self.json["assessment"]["factors"];
        let flag = |name: &str| factors[name].as_bool().unwrap_or(false);
        wire::Factors {
            gravity: number(&factors["gravity"]),
            imminence: number(&factors["imminence"]),
            intent_and_means: number(&factors["intent_and_means"]),
            specific_direct_threat: flag("specific_direct_threat"),
            earlier_attack_on_person: flag("earlier_attack_on_person"),
            earlier_attack_on_colleagues: flag("earlier_attack_on_colleagues"),
            rising_series: flag("rising_series"),
            vulnerability: number(&factors["vulnerability"]),
            irreparability: number(&factors["irreparability"]),
            capacity: number(&factors["capacity"]),
        }
    }

    pub(super) fn draft(&self) -> wire::Draft {
        let alert = &self.json["alert"];
        let texts_by_language = alert["texts"].as_object().unwrap();
        wire::Draft {
            track: text(&alert["track"]),
            tlp: text(&alert["tlp"]),
            identity_level: text(&alert["identity_level"]),
            asks: texts(&alert["asks"]),
            demands: texts(&alert["demands"]),
            addressees: list(&alert["addressees"])
                .iter()
                .map(|addressee| common::Addressee {
                    kind: text(&addressee["kind"]),
                    name: text(&addressee["name"]),
                    reply_days: number(&addressee["reply_days"]),
                })
                .collect(),
            named_partners: texts(&alert["named_partners"]),
            sign_on_hours: alert["sign_on_hours"].as_u64().map(|hours| u32::try_from(hours).unwrap()),
            source_language: text(&alert["source_language"]),
            texts: texts_by_language
                .iter()
                .map(|(language, content)| common::AlertText {
                    language: language.clone(),
                    headline: text(&content["headline"]),
                    body: text(&content["body"]),
                    translation: text(&content["translation"]),
                })
                .collect(),
            ..wire::Draft::default()
        }
    }

    pub(super) fn expected_score(&self) -> i32 {
        i32::try_from(self.json["assessment"]["expected_score"].as_i64().unwrap()).unwrap()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap_or(0)).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(text).collect()
}

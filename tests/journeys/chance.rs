//! Scenarios by chance: whatever the generator puts together, the demo and the second opinion agree.

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tocsin_tests::Outcome;
use tocsin_tests::network::{list, text};
use tocsin_tests::program::fixture_json;

use crate::demo::{check_all, variant};

const SCENARIOS: usize = 18;

#[tokio::test]
async fn scenarios_by_chance_go_as_the_second_opinion_says() -> Outcome<()> {
    let seed = std::env::var("TOCSIN_DEMO_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("scenarios by chance: seed {seed} (TOCSIN_DEMO_SEED={seed} makes the same)");
    let mut maker = Maker { random: StdRng::seed_from_u64(seed), network: fixture_json("network.json")? };
    let variants = (0..SCENARIOS).map(|number| {
        let (report, rest) = (maker.report(number), maker.decisions());
        let changes = [vec![("/report", report)], rest].concat();
        variant(&format!("seed {seed}, scenario {number}"), "workshop-detention", changes)
    });
    check_all(variants.collect()).await
}

struct Maker {
    random: StdRng,
    network: Value,
}

impl Maker {
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of.choose(&mut self.random).copied().unwrap_or_default()
    }

    /// A moment well inside an hour, so that no quiet hours begin or end while the demo runs.
    fn moment(&mut self) -> DateTime<Utc> {
        let start = DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default();
        let (hours, minutes) = (self.random.random_range(0..8700), self.random.random_range(10..50));
        start + TimeDelta::hours(hours) + TimeDelta::minutes(minutes)
    }

    fn report(&mut self, number: usize) -> Value {
        let at = self.moment();
        let date = (self.random.random_bool(0.5)).then(|| {
            let days = self.random.random_range(1..20);
            json!({"kind": self.one(&["hearing", "ultimatum", "eviction"]), "at": (at + TimeDelta::days(days)).to_rfc3339()})
        });
        let letter = char::from(b'A' + u8::try_from(self.random.random_range(0..26)).unwrap_or_default());
        json!({
            "reporter": {"relation": "colleague", "language": self.one(&["en", "es", "fr", "ar"])},
            "submitted_at": at.to_rfc3339(), "country": format!("X{letter}"),
            "subject": {"unit": "community", "count": number + 1},
            "kinds": [self.one(&["eviction", "arbitrary_arrest", "doxxing", "slapp", "incommunicado_detention", "red_tagging"])],
            "groups": [self.one(&["lawyer", "journalist", "housing", "trade_union", "srhr"]), self.one(&["women_rights", "digital_rights"])],
            "phase": "during", "adversary_date": date, "narrative": "Something invented happened.",
        })
    }

    fn decisions(&mut self) -> Vec<(&'static str, Value)> {
        let track = self.one(&["members", "members", "public", "public", "support", "confidential"]);
        let (purpose, audience) = match track {
            "members" => ("members_alert", "signatory_members"),
            "public" => ("public_letter", "public"),
            "support" => ("share_for_support", "named_partner"),
            _ => ("letter_to_authority", "addressee_state"),
        };
        let source = self.one(&["en", "es", "fr", "ar"]);
        vec![
            ("/consent", json!([self.consent(purpose, audience)])),
            ("/assessment/factors", self.factors()),
            ("/alert/track", json!(track)),
            ("/alert/tlp", json!(self.one(&["CLEAR", "GREEN", "GREEN", "AMBER", "AMBER", "AMBER+STRICT", "RED"]))),
            ("/alert/identity_level", json!(self.one(&["none", "group_only", "pseudonym", "full"]))),
            ("/alert/named_partners", self.named(track)),
            ("/alert/addressees", json!([{"kind": "state", "name": "An invented ministry", "reply_days": 9}])),
            ("/alert/sign_on_hours", if self.random.random_bool(0.5) { json!(24) } else { Value::Null }),
            ("/alert/source_language", json!(source)),
            ("/alert/texts", self.texts(source)),
        ]
    }

    fn consent(&mut self, purpose: &str, audience: &str) -> Value {
        let status = self.one(&[
            "granted",
            "granted",
            "granted",
            "granted",
            "proxy_granted",
            "granted_with_limits",
            "unable_reason_given",
            "asked",
            "refused",
            "withdrawn",
            "not_asked_unsafe",
            "expired",
        ]);
        let languages: Vec<_> = ["en", "es", "fr", "ar"].into_iter().filter(|_| self.random.random_bool(0.8)).collect();
        let limits = if status == "granted_with_limits" && !languages.is_empty() {
            json!({"languages": languages})
        } else {
            Value::Null
        };
        json!({
            "who": "community", "purpose": purpose, "audience": audience, "form": "community_assembly", "status": status,
            "identity_level": self.one(&["group_only", "full", "full", "full"]), "limits": limits,
            "reason": if status == "unable_reason_given" { json!("nobody can be reached") } else { Value::Null },
        })
    }

    fn factors(&mut self) -> Value {
        let level = self.random.random_range(0..=100);
        let part = |maximum: u32| maximum * level / 100;
        json!({
            "gravity": part(15), "imminence": part(15), "intent_and_means": part(10),
            "specific_direct_threat": self.random.random_bool(0.3), "earlier_attack_on_person": self.random.random_bool(0.3),
            "earlier_attack_on_colleagues": false, "rising_series": true, "vulnerability": part(20), "irreparability": part(20),
            "capacity": self.random.random_range(0..=15),
        })
    }

    /// A list for the tracks that reach nobody else, and sometimes for the others.
    fn named(&mut self, track: &str) -> Value {
        let count = match track {
            "support" | "confidential" => self.random.random_range(0..5),
            _ if self.random.random_bool(0.2) => 8,
            _ => 0,
        };
        let ids: Vec<_> = list(&self.network, "organisations").iter().map(|one| text(one, "id")).collect();
        let mut named: Vec<_> = ids.choose_multiple(&mut self.random, count).cloned().collect();
        named.sort();
        json!(named)
    }

    fn texts(&mut self, source: &str) -> Value {
        let mut texts = serde_json::Map::new();
        for language in ["en", "es", "fr", "ar"] {
            let chance = if language == source { 0.9 } else { 0.5 };
            let translation = if self.random.random_bool(chance) { "reviewed" } else { "machine_draft" };
            if language == source || self.random.random_bool(0.7) {
                let headline = format!("Invented ({language})");
                texts.insert(
                    language.to_owned(),
                    json!({"headline": headline, "body": "Invented.", "translation": translation}),
                );
            }
        }
        Value::Object(texts)
    }
}

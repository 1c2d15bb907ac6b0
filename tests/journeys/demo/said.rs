//! One run of the demo, and the comparison of what it said with what was expected.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use tempfile::TempDir;
use tocsin_tests::network::{text, texts};
use tocsin_tests::program::binary;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::{Outcome, Trouble};

use crate::oracle::{self, Expected};

/// A run that takes longer hangs.
const RUN_LIMIT: Duration = Duration::from_mins(2);

const SUMMARY_KEYS: [&str; 19] = [
    "scenario",
    "report_id",
    "reference",
    "priority",
    "score",
    "independent_sources",
    "release_by",
    "deadline",
    "released",
    "refusal",
    "refusals",
    "organisations",
    "contacts",
    "recipients",
    "languages",
    "notices",
    "stream_received",
    "sinks",
    "seconds",
];

/// What a demo run said on standard output.
pub(super) struct Said(pub(super) Value);

pub(super) async fn run(scenario: &Value, network: Option<&Value>, further: &[&str]) -> Outcome<Said> {
    let folder = TempDir::with_prefix("tocsin-demo-journey-")?;
    let file = folder.path().join("scenario.json");
    std::fs::write(&file, scenario.to_string())?;
    let mut command = tokio::process::Command::new(binary()?);
    command.args(["demo", "--exit", "--summary", "json", "--scenario"]).arg(&file).args(further);
    if let Some(network) = network {
        let file = folder.path().join("network.json");
        std::fs::write(&file, network.to_string())?;
        command.arg("--network").arg(file);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(RUN_LIMIT, command.output()).await??;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure(output.status.success(), || format!("the demo ended with {}: {told}", output.status))?;
    let said: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| Trouble::from(error).during("standard output is not one JSON object"))?;
    let keys: BTreeSet<_> = said.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    ensure_equal(keys, SUMMARY_KEYS.into_iter().collect(), "the keys of the summary")?;
    Ok(Said(said))
}

impl Said {
    pub(super) fn counts(&self, pointer: &str) -> BTreeMap<String, usize> {
        let entries = self.0.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
        entries.map(|(key, count)| (key.clone(), count.as_u64().map_or(usize::MAX, to_usize))).collect()
    }

    fn count(&self, pointer: &str) -> usize {
        self.0.pointer(pointer).and_then(Value::as_u64).map_or(usize::MAX, to_usize)
    }

    fn recipients(&self) -> BTreeSet<String> {
        texts(&self.0, "recipients").into_iter().collect()
    }

    /// Compares everything that the oracle has an opinion on.
    pub(super) fn check(&self, scenario: &Value, expected: &Expected) -> Outcome<()> {
        let said = &self.0;
        ensure_equal(said["scenario"].clone(), scenario["title"].clone(), "scenario")?;
        ensure_equal(said["score"].as_i64(), Some(expected.score), "score")?;
        ensure_equal(text(said, "priority"), expected.priority.clone(), "priority")?;
        ensure_equal(self.count("/independent_sources"), expected.independent_sources, "independent_sources")?;
        ensure_equal(said["release_by"].as_str().map(str::to_owned), expected.release_by.clone(), "release_by")?;
        ensure_equal(texts(said, "refusals"), expected.refusals.clone(), "refusals")?;
        ensure_equal(said["refusal"].as_str(), expected.refusals.first().map(String::as_str), "refusal")?;
        ensure_equal(said["released"].as_bool(), Some(expected.refusals.is_empty()), "released")?;
        let reference = format!("{}-{}-0001", text(&scenario["report"], "country"), year_of(scenario)?);
        ensure_equal(text(said, "reference"), reference, "reference")?;
        if !expected.refusals.is_empty() {
            ensure_equal(said["sinks"].clone(), json!({"email": 0, "sms": 0, "webhook": 0}), "sinks after a refusal")?;
            return ensure_equal(self.count("/notices/total"), 0, "notices after a refusal");
        }
        self.check_fanout(expected)?;
        let deadline = DateTime::parse_from_rfc3339(said["deadline"].as_str().unwrap_or_default())?.to_utc();
        let due = oracle::deadline(scenario, &expected.priority, started_at(scenario)?.to_utc());
        let late = deadline - due;
        ensure(late >= TimeDelta::zero() && late < TimeDelta::minutes(3), || format!("deadline {deadline}, due {due}"))
    }

    fn check_fanout(&self, expected: &Expected) -> Outcome<()> {
        ensure_equal(self.recipients(), expected.recipients.clone(), "recipients")?;
        ensure_equal(self.count("/organisations"), expected.recipients.len(), "organisations")?;
        ensure_equal(self.count("/contacts"), expected.contacts, "contacts")?;
        ensure_equal(self.counts("/languages"), expected.languages.clone(), "languages")?;
        ensure_equal(self.counts("/notices/by_channel"), expected.by_channel.clone(), "notices.by_channel")?;
        ensure_equal(self.count("/notices/total"), expected.by_channel.values().sum(), "notices.total")?;
        let states = self.counts("/notices/by_state");
        let of = |states: &[&str], counts: &BTreeMap<String, usize>| -> usize {
            states.iter().filter_map(|state| counts.get(*state)).sum()
        };
        ensure_equal(of(&["queued"], &states), expected.deferred, "notices that quiet hours defer")?;
        ensure_equal(of(&["suppressed_unsafe"], &states), expected.suppressed, "suppressed notices")?;
        let sent: usize = expected.sent.values().sum();
        ensure_equal(of(&["accepted", "delivered"], &states), sent, "notices that arrived")?;
        ensure_equal(states.values().sum(), sent + expected.deferred + expected.suppressed, "notices in any state")?;
        let arrived: BTreeMap<_, _> = self.counts("/sinks").into_iter().filter(|(_, count)| *count > 0).collect();
        ensure_equal(arrived, expected.sent.clone(), "what arrived at the sinks")?;
        ensure_equal(self.count("/stream_received"), expected.recipients.len(), "stream_received")
    }
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

pub(super) fn started_at(scenario: &Value) -> Outcome<DateTime<chrono::FixedOffset>> {
    Ok(DateTime::parse_from_rfc3339(&text(&scenario["report"], "submitted_at"))?)
}

fn year_of(scenario: &Value) -> Outcome<String> {
    Ok(started_at(scenario)?.to_utc().format("%Y").to_string())
}

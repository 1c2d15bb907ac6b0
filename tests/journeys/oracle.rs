//! A second opinion on whom an alert reaches and how: the rules of audience, channels, quiet hours, languages, score,
//! consent and deadlines, written down from the description of the domain, without the program's own code.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, FixedOffset, NaiveTime, TimeDelta, Utc};
use serde_json::Value;
use tocsin_tests::network::{list, text, texts};

/// What a demo run of a scenario should say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) score: i64,
    pub(crate) priority: String,
    pub(crate) independent_sources: usize,
    pub(crate) release_by: Option<String>,
    /// Every reason against the release, in order; empty for a release.
    pub(crate) refusals: Vec<String>,
    pub(crate) recipients: BTreeSet<String>,
    pub(crate) contacts: usize,
    pub(crate) languages: BTreeMap<String, usize>,
    /// Notices that start at once or are deferred by quiet hours, and contacts without a channel as `none`.
    pub(crate) by_channel: BTreeMap<String, usize>,
    /// Notices that leave at once, by channel.
    pub(crate) sent: BTreeMap<String, usize>,
    pub(crate) deferred: usize,
    pub(crate) suppressed: usize,
}

/// What should come of a scenario in a network, when it is released at about `now`.
pub(crate) fn expect(scenario: &Value, network: &Value, now: DateTime<Utc>) -> Expected {
    let (score, priority) = weigh(scenario);
    let chosen = audience(scenario, network, &priority);
    let reviewed = reviewed_languages(scenario);
    let mut expected = Expected {
        score,
        independent_sources: independent_sources(scenario),
        release_by: release_by(scenario),
        refusals: refusals(scenario, network, &chosen, &reviewed, now),
        recipients: chosen.iter().map(|organisation| text(organisation, "id")).collect(),
        priority,
        ..Expected::default()
    };
    if !expected.refusals.is_empty() {
        return expected;
    }
    let tlp = text(&scenario["alert"], "tlp");
    for contact in chosen.iter().flat_map(|organisation| list(organisation, "contacts")) {
        expected.contacts += 1;
        let own = text(contact, "language");
        let language = if reviewed.contains(&own) { own } else { text(&scenario["alert"], "source_language") };
        *expected.languages.entry(language).or_default() += 1;
        let usable: Vec<String> =
            texts(contact, "channels").into_iter().filter(|channel| tlp != "RED" || channel == "email").collect();
        if usable.is_empty() {
            *expected.by_channel.entry("none".to_owned()).or_default() += 1;
            expected.suppressed += 1;
            continue;
        }
        let at_once = if expected.priority == "p1" { usable.len() } else { 1 };
        let quiet = is_deferred(contact, &expected.priority, now);
        for channel in usable.into_iter().take(at_once) {
            *expected.by_channel.entry(channel.clone()).or_default() += 1;
            if quiet {
                expected.deferred += 1;
            } else {
                *expected.sent.entry(channel).or_default() += 1;
            }
        }
    }
    expected
}

/// Score and priority: threat, history, vulnerability, irreparability, less capacity.
fn weigh(scenario: &Value) -> (i64, String) {
    let assessment = &scenario["assessment"];
    let factors = &assessment["factors"];
    let number = |key: &str| factors[key].as_i64().unwrap_or_default();
    let fact = |key: &str, points: i64| if factors[key] == true { points } else { 0 };
    let direct = fact("specific_direct_threat", 8);
    let threat = number("gravity") + number("imminence") + number("intent_and_means");
    let history = direct
        + fact("earlier_attack_on_person", 6)
        + fact("earlier_attack_on_colleagues", 4)
        + fact("rising_series", 2);
    let capacity = number("capacity").min(if direct > 0 { 5 } else { 15 });
    let score = threat + history + number("vulnerability") + number("irreparability") - capacity;
    let overriding = !list(assessment, "overrides").is_empty()
        || texts(&scenario["report"], "kinds")
            .iter()
            .any(|kind| kind == "enforced_disappearance" || kind == "incommunicado_detention");
    let priority = match score {
        _ if overriding => "p1",
        70.. => "p1",
        45.. => "p2",
        20.. => "p3",
        _ => "p4",
    };
    (score, priority.to_owned())
}

/// Relays of one source are one source.
fn independent_sources(scenario: &Value) -> usize {
    let sources = list(scenario, "sources");
    let root = |mut index: usize| {
        while let Some(relayed) = sources[index]["relays"].as_u64() {
            index = usize::try_from(relayed).expect("an index");
        }
        index
    };
    (0..sources.len()).map(root).collect::<BTreeSet<_>>().len()
}

fn adversary_date(scenario: &Value) -> Option<(String, DateTime<FixedOffset>)> {
    let date = &scenario["report"]["adversary_date"];
    let at = DateTime::parse_from_rfc3339(date["at"].as_str()?).expect("a moment");
    Some((text(date, "kind"), at))
}

/// The adversary's date less its lead, in its own offset.
fn release_by(scenario: &Value) -> Option<String> {
    let (kind, at) = adversary_date(scenario)?;
    let hours = match kind.as_str() {
        "hearing" => 72,
        "ultimatum" => 24,
        _ => 7 * 24,
    };
    Some((at - TimeDelta::hours(hours)).to_rfc3339())
}

/// When answers are due, if the alert leaves at `released`.
pub(crate) fn deadline(scenario: &Value, priority: &str, released: DateTime<Utc>) -> DateTime<Utc> {
    let date = adversary_date(scenario).map(|(_, at)| at.to_utc()).filter(|date| *date > released);
    let hours = match priority {
        "p1" => 4,
        "p2" => 24,
        "p3" => 72,
        _ => 7 * 24,
    };
    let due = match (scenario["alert"]["sign_on_hours"].as_i64(), date) {
        (Some(hours), _) => released + TimeDelta::hours(hours),
        (None, Some(date)) => date,
        (None, None) => released + TimeDelta::hours(hours),
    };
    date.map_or(due, |date| due.min(date))
}

fn rank(tlp: &str) -> usize {
    ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"].iter().position(|known| *known == tlp).expect("a TLP label")
}

fn is_cleared(organisation: &Value, scenario: &Value) -> bool {
    rank(&text(organisation, "clearance")) >= rank(&text(&scenario["alert"], "tlp"))
}

fn audience<'a>(scenario: &Value, network: &'a Value, priority: &str) -> Vec<&'a Value> {
    let alert = &scenario["alert"];
    let (track, named) = (text(alert, "track"), texts(alert, "named_partners"));
    let region = region(&text(&scenario["report"], "country"));
    let groups = texts(&scenario["report"], "groups");
    list(network, "organisations")
        .iter()
        .filter(|organisation| {
            let kind = text(organisation, "kind");
            let subscription = &organisation["subscription"];
            let (regions, wanted) = (texts(subscription, "regions"), texts(subscription, "groups"));
            let subscribed = (regions.is_empty() || regions.iter().any(|one| one == region))
                && (wanted.is_empty() || wanted.iter().any(|one| groups.contains(one)))
                && *priority <= *text(subscription, "minimum_priority");
            let reached = match track.as_str() {
                "members" => kind == "signatory_member",
                "public" => true,
                _ => !named.is_empty(),
            };
            let wanted = if named.is_empty() { subscribed } else { named.contains(&text(organisation, "id")) };
            reached && wanted && is_cleared(organisation, scenario)
        })
        .collect()
}

fn region(country: &str) -> &'static str {
    match country.as_bytes()[1] {
        b'A'..=b'F' => "africa",
        b'G'..=b'L' => "americas",
        b'M'..=b'R' => "asia",
        b'S'..=b'V' => "europe",
        _ => "mena",
    }
}

fn reviewed_languages(scenario: &Value) -> BTreeSet<String> {
    let texts = scenario["alert"]["texts"].as_object().expect("texts");
    texts.iter().filter(|(_, one)| one["translation"] == "reviewed").map(|(language, _)| language.clone()).collect()
}

/// Quiet hours defer, except P1 and P2 where the contact lets them through.
fn is_deferred(contact: &Value, priority: &str, now: DateTime<Utc>) -> bool {
    if priority <= "p2" && contact["urgent_overrides_quiet_hours"] == true {
        return false;
    }
    let Some((from, to)) = contact["quiet_hours"].as_str().and_then(|hours| hours.split_once('-')) else {
        return false;
    };
    let clock = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").expect("a time of day");
    let (from, to) = (clock(from), clock(to));
    let zone: chrono_tz::Tz = text(contact, "time_zone").parse().expect("a time zone");
    let local = now.with_timezone(&zone).time();
    if from < to { (from..to).contains(&local) } else { local >= from || local < to }
}

fn refusals(
    scenario: &Value,
    network: &Value,
    chosen: &[&Value],
    reviewed: &BTreeSet<String>,
    now: DateTime<Utc>,
) -> Vec<String> {
    let alert = &scenario["alert"];
    let (track, tlp, named) = (text(alert, "track"), text(alert, "tlp"), texts(alert, "named_partners"));
    let mut refusals = Vec::new();
    for (purpose, audiences) in needs(scenario) {
        let gap = consent_gap(scenario, purpose, audiences, chosen, reviewed, now);
        let refusal = gap.map(|gap| format!("consent: {purpose} {gap}"));
        refusals.extend(refusal.filter(|refusal| !refusals.contains(refusal)));
    }
    let fits = match track.as_str() {
        "public" => rank(&tlp) <= 1,
        "members" => rank(&tlp) <= 3,
        _ => tlp != "RED" || !named.is_empty(),
    };
    if !fits {
        refusals.push(format!("tlp: {track}"));
    }
    let source = text(alert, "source_language");
    if !reviewed.contains(&source) {
        refusals.push(format!("text: {source}"));
    }
    for id in &named {
        let known = list(network, "organisations").iter().find(|organisation| text(organisation, "id") == *id);
        if !known.is_some_and(|organisation| is_cleared(organisation, scenario)) {
            refusals.push(format!("clearance: {id}"));
        }
    }
    if chosen.is_empty() {
        refusals.push("audience: empty".to_owned());
    }
    refusals
}

/// What consent a track needs: a purpose and the audiences that do.
fn needs(scenario: &Value) -> Vec<(&'static str, &'static [&'static str])> {
    let alert = &scenario["alert"];
    match text(alert, "track").as_str() {
        "members" => vec![("members_alert", &["signatory_members", "all_members"])],
        "public" => vec![("public_letter", &["public"])],
        "support" => vec![("share_for_support", &["named_partner"])],
        _ => list(alert, "addressees")
            .iter()
            .map(|addressee| match text(addressee, "kind").as_str() {
                "state" => ("letter_to_authority", ["addressee_state"].as_slice()),
                _ => ("letter_to_other_actor", ["addressee_company"].as_slice()),
            })
            .collect(),
    }
}

/// Why no consent covers a purpose; `None` when one does.
fn consent_gap(
    scenario: &Value,
    purpose: &str,
    audiences: &[&str],
    chosen: &[&Value],
    reviewed: &BTreeSet<String>,
    now: DateTime<Utc>,
) -> Option<String> {
    let mut current: BTreeMap<(String, String), &Value> = BTreeMap::new();
    for record in list(scenario, "consent").iter().filter(|record| record["purpose"] == purpose) {
        current.insert((text(record, "who"), text(record, "audience")), record);
    }
    for defeat in ["refused", "withdrawn"] {
        if current.values().any(|record| record["status"] == defeat) {
            return Some(defeat.to_owned());
        }
    }
    let gaps: Vec<String> = current
        .values()
        .map(|record| shortcoming(record, scenario, audiences, chosen, reviewed, now))
        .collect::<Option<_>>()?;
    // The scenarios of these tests give at most one record that could do, so that the word is never a matter of taste.
    Some(gaps.into_iter().next().unwrap_or_else(|| "missing".to_owned()))
}

fn shortcoming(
    record: &Value,
    scenario: &Value,
    audiences: &[&str],
    chosen: &[&Value],
    reviewed: &BTreeSet<String>,
    now: DateTime<Utc>,
) -> Option<String> {
    const LEVELS: [&str; 7] = ["none", "group_only", "role_and_region", "pseudonym", "initials", "name_only", "full"];
    let level = |of: &Value| LEVELS.iter().position(|known| of["identity_level"] == *known).expect("an identity level");
    let expired = record["expires_at"]
        .as_str()
        .is_some_and(|at| DateTime::parse_from_rfc3339(at).expect("a moment").to_utc() <= now);
    let status = text(record, "status");
    let gap = match status.as_str() {
        "asked" | "not_asked_unsafe" | "expired" => status.as_str(),
        "unable_reason_given" if text(record, "reason").is_empty() => "missing",
        _ if expired => "expired",
        _ if !audiences.contains(&text(record, "audience").as_str()) => "audience",
        _ if level(record) < level(&scenario["alert"]) => "identity_level",
        "granted_with_limits" if !is_within(&record["limits"], chosen, reviewed) => "limits",
        _ => return None,
    };
    Some(gap.to_owned())
}

/// Whether limits can be checked and hold.
fn is_within(limits: &Value, chosen: &[&Value], reviewed: &BTreeSet<String>) -> bool {
    let (organisations, languages) = (texts(limits, "organisations"), texts(limits, "languages"));
    let checkable = limits.as_object().is_some_and(|limits| {
        !limits.is_empty() && limits.keys().all(|key| key == "organisations" || key == "languages")
    });
    checkable
        && (organisations.is_empty() || chosen.iter().all(|one| organisations.contains(&text(one, "id"))))
        && (languages.is_empty() || reviewed.iter().all(|one| languages.contains(one)))
}

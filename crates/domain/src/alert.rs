//! An alert before it is released: its track, its routing facts, its asks and its texts; and when its answer is due.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};

use crate::codes::{AddresseeKind, Ask, Demand, IdentityLevel, Translation, code_list};
use crate::id::OrganisationId;
use crate::language::LanguageTag;
use crate::priority::{Priority, later};
use crate::text::{multi_line, single_line};
use crate::tlp::Tlp;
use crate::violation::{FieldViolation, check_list, check_text};

code_list! {
    /// A track of a case. Tracks run side by side, each with its own consent and audience.
    Track in "tracks" { Support = "support", Confidential = "confidential", Members = "members", Public = "public" }
}

/// An alert's text in one language. `Debug` shows only how far its translation has come.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertText {
    /// One line, at most 200 characters.
    pub headline: String,
    /// The text, at most 20,000 characters.
    pub body: String,
    /// How far the translation has come.
    pub translation: Translation,
}

impl fmt::Debug for AlertText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AlertText({}, [redacted])", self.translation)
    }
}

/// A body to which a letter is addressed. `Debug` does not show its name.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addressee {
    /// What sort of body it is.
    pub kind: AddresseeKind,
    /// Its name, one line, at most 200 characters.
    pub name: String,
    /// How many days it has to reply.
    #[serde(default)]
    pub reply_days: Option<u32>,
}

impl fmt::Debug for Addressee {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Addressee({}, [redacted])", self.kind)
    }
}

/// An alert as it is drafted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The track, which decides the audience.
    pub track: Track,
    /// How far it may travel.
    #[serde(default)]
    pub tlp: Tlp,
    /// How much of a person's identity the texts show.
    pub identity_level: IdentityLevel,
    /// What the readers are asked to do.
    #[serde(default)]
    pub asks: Vec<Ask>,
    /// What the addressees are asked for.
    #[serde(default)]
    pub demands: Vec<Demand>,
    /// To whom the letter goes.
    #[serde(default)]
    pub addressees: Vec<Addressee>,
    /// The only organisations that may receive it, if any are named.
    #[serde(default)]
    pub named_partners: Vec<OrganisationId>,
    /// How long the sign-on window is open.
    #[serde(default)]
    pub sign_on_hours: Option<u32>,
    /// The language in which it was written.
    pub source_language: LanguageTag,
    /// The texts by language.
    pub texts: BTreeMap<LanguageTag, AlertText>,
    /// Whether it is an exercise.
    #[serde(default)]
    pub drill: bool,
}

const HEADLINE_CHARS_MAX: usize = 200;
const BODY_CHARS_MAX: usize = 20_000;
/// All texts together; sealed and with everything around them they still fit into one event.
const TEXTS_BYTES_MAX: usize = 256 * 1024;
const NAME_CHARS_MAX: usize = 200;
const LIST_ENTRIES_MAX: usize = 50;
const NAMED_PARTNERS_MAX: usize = 1_000;
const SIGN_ON_HOURS_MAX: u32 = 24 * 366;
const REPLY_DAYS_MAX: u32 = 3_660;

impl Draft {
    /// The languages whose text is reviewed, which are the only ones ever released.
    pub fn reviewed_languages(&self) -> Vec<LanguageTag> {
        let reviewed = self.texts.iter().filter(|(_, text)| text.translation == Translation::Reviewed);
        reviewed.map(|(language, _)| language.clone()).collect()
    }

    /// Every fault of the draft's form. Whether it may be released is another question.
    pub fn violations(&self) -> Vec<FieldViolation> {
        let mut violations = Vec::new();
        check_list("asks", &self.asks, LIST_ENTRIES_MAX, &mut violations);
        check_list("demands", &self.demands, LIST_ENTRIES_MAX, &mut violations);
        check_list("addressees", &self.addressees, LIST_ENTRIES_MAX, &mut violations);
        check_list("named_partners", &self.named_partners, NAMED_PARTNERS_MAX, &mut violations);
        if self.texts.len() > LIST_ENTRIES_MAX {
            violations.push(FieldViolation::new("texts", format!("at most {LIST_ENTRIES_MAX} languages are allowed")));
        }
        let bytes: usize = self.texts.values().map(|text| text.headline.len().saturating_add(text.body.len())).sum();
        if bytes > TEXTS_BYTES_MAX {
            let says = format!("all headlines and bodies together may hold at most {TEXTS_BYTES_MAX} bytes");
            violations.push(FieldViolation::new("texts", says));
        }
        if self.sign_on_hours.is_some_and(|hours| hours > SIGN_ON_HOURS_MAX) {
            violations.push(FieldViolation::new("sign_on_hours", format!("at most {SIGN_ON_HOURS_MAX} are allowed")));
        }
        for (index, addressee) in self.addressees.iter().enumerate() {
            addressee.check(index, &mut violations);
        }
        for (language, text) in &self.texts {
            text.check(language, &mut violations);
        }
        violations
    }
}

impl Addressee {
    fn check(&self, index: usize, violations: &mut Vec<FieldViolation>) {
        let name = format!("addressees[{index}].name");
        check_text(&name, &self.name, NAME_CHARS_MAX, single_line, violations);
        if self.name.trim().is_empty() {
            violations.push(FieldViolation::new(name, "a name is needed"));
        }
        if self.reply_days.is_some_and(|days| days > REPLY_DAYS_MAX) {
            let field = format!("addressees[{index}].reply_days");
            violations.push(FieldViolation::new(field, format!("at most {REPLY_DAYS_MAX} are allowed")));
        }
    }
}

impl AlertText {
    fn check(&self, language: &LanguageTag, violations: &mut Vec<FieldViolation>) {
        let headline = format!("texts.{language}.headline");
        check_text(&headline, &self.headline, HEADLINE_CHARS_MAX, single_line, violations);
        if self.headline.trim().is_empty() {
            violations.push(FieldViolation::new(headline, "a headline is needed"));
        }
        let body = format!("texts.{language}.body");
        check_text(&body, &self.body, BODY_CHARS_MAX, multi_line, violations);
        if self.body.trim().is_empty() {
            violations.push(FieldViolation::new(body, "a body is needed"));
        }
    }
}

/// How long after release an answer is due where neither a sign-on window nor an adversary's date says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadlineHours {
    /// At P1.
    pub p1_hours: u32,
    /// At P2.
    pub p2_hours: u32,
    /// At P3.
    pub p3_hours: u32,
    /// At P4.
    pub p4_hours: u32,
}

impl Default for DeadlineHours {
    fn default() -> Self {
        Self { p1_hours: 4, p2_hours: 24, p3_hours: 72, p4_hours: 7 * 24 }
    }
}

impl DeadlineHours {
    const fn of(&self, priority: Priority) -> u32 {
        match priority {
            Priority::P1 => self.p1_hours,
            Priority::P2 => self.p2_hours,
            Priority::P3 => self.p3_hours,
            Priority::P4 => self.p4_hours,
        }
    }
}

/// The deadline that a notice names: release plus the sign-on window, else the adversary's date, else release plus the
/// hours of the priority; and never after the adversary's date. A date that has passed binds nothing any more.
pub fn deadline(
    released_at: DateTime<Utc>,
    sign_on_hours: Option<u32>,
    adversary_date: Option<DateTime<FixedOffset>>,
    priority: Priority,
    hours: &DeadlineHours,
) -> DateTime<Utc> {
    let after = |hours: u32| later(released_at, hours.saturating_mul(60));
    let date = adversary_date.map(|at| at.to_utc()).filter(|date| *date > released_at);
    match (sign_on_hours, date) {
        (Some(window), Some(date)) => after(window).min(date),
        (Some(window), None) => after(window),
        (None, Some(date)) => date,
        (None, None) => after(hours.of(priority)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASE: &str = "2026-07-06T06:00:00Z";

    #[test]
    fn the_deadline_never_passes_the_adversarys_date() {
        check(Some(12), None, Priority::P1, "2026-07-06T18:00:00Z");
        check(Some(12), Some("2026-07-06T10:00:00+03:00"), Priority::P1, "2026-07-06T07:00:00Z");
        check(Some(12), Some("2026-07-12T09:00:00+03:00"), Priority::P1, "2026-07-06T18:00:00Z");
        check(None, Some("2026-07-12T09:00:00+03:00"), Priority::P1, "2026-07-12T06:00:00Z");
        check(None, None, Priority::P1, "2026-07-06T10:00:00Z");
        check(None, None, Priority::P2, "2026-07-07T06:00:00Z");
        check(None, None, Priority::P3, "2026-07-09T06:00:00Z");
        check(None, None, Priority::P4, "2026-07-13T06:00:00Z");
        let far = deadline(DateTime::<Utc>::MAX_UTC, Some(u32::MAX), None, Priority::P1, &DeadlineHours::default());
        assert_eq!(far, DateTime::<Utc>::MAX_UTC);
    }

    #[test]
    fn the_scenarios_hold_drafts_of_good_form() {
        for json in [
            include_str!("../../../fixtures/scenarios/dam-eviction.json"),
            include_str!("../../../fixtures/scenarios/lawyer-harassment.json"),
            include_str!("../../../fixtures/scenarios/workshop-detention.json"),
        ] {
            assert_eq!(scenario_draft(json).violations(), []);
        }
    }

    #[test]
    fn only_reviewed_texts_are_released_and_debug_shows_no_text() {
        let draft = scenario_draft(include_str!("../../../fixtures/scenarios/workshop-detention.json"));
        let languages: Vec<_> = draft.reviewed_languages().iter().map(ToString::to_string).collect();
        assert_eq!(languages, ["en", "es", "fr"]);
        assert!(!format!("{draft:?}").contains("workshop"));
    }

    #[test]
    fn line_breaks_and_empty_texts_are_named() {
        let mut draft = scenario_draft(include_str!("../../../fixtures/scenarios/dam-eviction.json"));
        draft.addressees[1].name = "Bank\r\nBcc: a@b.example".to_owned();
        let english = draft.texts.get_mut(&"en".parse().unwrap()).unwrap();
        english.headline = "a\nb".to_owned();
        english.body = " ".to_owned();
        let fields: Vec<_> = draft.violations().into_iter().map(|violation| violation.field).collect();
        assert_eq!(fields, ["addressees[1].name", "texts.en.headline", "texts.en.body"]);
    }

    #[test]
    fn all_texts_together_are_bounded() {
        let mut draft = scenario_draft(include_str!("../../../fixtures/scenarios/dam-eviction.json"));
        draft.texts.clear();
        // Each body is within its own limit: 20,000 characters of three bytes, four of them are 240,000 bytes.
        let languages = ["am", "bn", "hi", "ne", "th"];
        let text =
            AlertText { headline: "h".to_owned(), body: "ก".repeat(20_000), translation: Translation::Reviewed };
        for language in &languages[..4] {
            draft.texts.insert(language.parse().unwrap(), text.clone());
        }
        assert_eq!(draft.violations(), []);
        draft.texts.insert(languages[4].parse().unwrap(), text);
        let violations = draft.violations();
        let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["texts"]);
        assert!(violations[0].description.contains("262144 bytes"), "{}", violations[0]);
    }

    fn scenario_draft(json: &str) -> Draft {
        let scenario: serde_json::Value = serde_json::from_str(json).unwrap();
        serde_json::from_value(scenario["alert"].clone()).unwrap()
    }

    fn check(sign_on_hours: Option<u32>, date: Option<&str>, priority: Priority, expected: &str) {
        let date = date.map(|date| date.parse().unwrap());
        let due = deadline(RELEASE.parse().unwrap(), sign_on_hours, date, priority, &DeadlineHours::default());
        assert_eq!(due, expected.parse::<DateTime<Utc>>().unwrap());
    }
}

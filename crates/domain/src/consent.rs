//! Consent: who agreed that what may be shown to whom, and whether that covers a release.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::codes::{ConsentAudience, ConsentForm, ConsentPurpose, ConsentStatus, IdentityLevel, code_list};
use crate::id::OrganisationId;
use crate::language::LanguageTag;
use crate::text::CodeText;

code_list! {
    /// Why no consent covers a release.
    ConsentGap in "consent_gaps" {
        Missing = "missing", Asked = "asked", Refused = "refused", Withdrawn = "withdrawn", Expired = "expired",
        Audience = "audience", IdentityLevel = "identity_level", Limits = "limits",
        NotAskedUnsafe = "not_asked_unsafe",
    }
}

/// The limits of a consent that was granted with limits. An empty list does not limit.
///
/// Limits without anything that can be checked, or with anything that cannot, refuse every release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "LimitsAsGiven")]
pub struct Limits {
    /// Only these organisations may receive it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organisations: Vec<OrganisationId>,
    /// Only these languages may be released.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<LanguageTag>,
    /// Names of limits that the system cannot check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unchecked: Vec<String>,
}

/// Limits as somebody wrote them, with keys that nobody foresaw.
#[derive(Deserialize)]
struct LimitsAsGiven {
    organisations: Option<Vec<OrganisationId>>,
    languages: Option<Vec<LanguageTag>>,
    #[serde(default)]
    unchecked: Vec<String>,
    #[serde(flatten)]
    #[expect(clippy::zero_sized_map_values, reason = "serde flattens into maps only, and the values stay unread")]
    others: BTreeMap<String, IgnoredAny>,
}

impl From<LimitsAsGiven> for Limits {
    fn from(given: LimitsAsGiven) -> Self {
        let mut unchecked = given.unchecked;
        unchecked.extend(given.others.into_keys());
        // A list written down as empty may have meant "nobody" or "anybody", so it cannot be checked.
        if given.organisations.as_ref().is_some_and(Vec::is_empty) {
            unchecked.push("organisations".to_owned());
        }
        if given.languages.as_ref().is_some_and(Vec::is_empty) {
            unchecked.push("languages".to_owned());
        }
        let organisations = given.organisations.unwrap_or_default();
        let languages = given.languages.unwrap_or_default();
        Self { organisations, languages, unchecked }
    }
}

impl Limits {
    fn permit(&self, scope: &ReleaseScope<'_>) -> bool {
        let checkable = self.unchecked.is_empty() && !(self.organisations.is_empty() && self.languages.is_empty());
        checkable && within(scope.organisations, &self.organisations) && within(scope.languages, &self.languages)
    }
}

fn within<T: PartialEq>(released: &[T], limit: &[T]) -> bool {
    limit.is_empty() || released.iter().all(|one| limit.contains(one))
}

/// One version of one consent. Versions are immutable: a change of mind is a new record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentRecord {
    /// Whose consent it is, such as `affected_person` or `community`.
    pub who: CodeText,
    /// What was asked.
    pub purpose: ConsentPurpose,
    /// Who may learn it.
    pub audience: ConsentAudience,
    /// How much of the identity may be shown.
    pub identity_level: IdentityLevel,
    /// What became of it.
    pub status: ConsentStatus,
    /// How it was obtained.
    pub form: ConsentForm,
    /// The limits of a consent granted with limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Why consent was substituted, where the person was unable to give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// From this moment it counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Counts the versions of the case's consents, so that a release can name the one that it relied on.
    #[serde(default = "first_version")]
    pub version: u32,
}

const fn first_version() -> u32 {
    1
}

/// What a release would show, as far as limits can name it.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseScope<'a> {
    /// Every organisation of the audience.
    pub organisations: &'a [OrganisationId],
    /// Every language that would be released.
    pub languages: &'a [LanguageTag],
}

/// Looks for the record that covers a release for one purpose, to one of the acceptable audiences.
///
/// Returns the index in `records`, whose order is the order in which they were made: the last record of one who,
/// purpose and audience counts. Anyone's current refusal or withdrawal for the purpose defeats it.
pub fn covers(
    records: &[ConsentRecord],
    purpose: ConsentPurpose,
    audiences: &[ConsentAudience],
    identity_level: IdentityLevel,
    scope: &ReleaseScope<'_>,
    now: DateTime<Utc>,
) -> Result<usize, ConsentGap> {
    let current = current_of(records, purpose);
    let any = |status| current.iter().any(|(_, record)| record.status == status);
    if any(ConsentStatus::Refused) {
        return Err(ConsentGap::Refused);
    }
    if any(ConsentStatus::Withdrawn) {
        return Err(ConsentGap::Withdrawn);
    }
    // Of the records that fall short, the one that came furthest says best what is still to do.
    let mut furthest = (false, 0, ConsentGap::Missing);
    for (index, record) in current {
        let acceptable = audiences.contains(&record.audience);
        match shortcoming(record, acceptable, identity_level, scope, now) {
            None => return Ok(index),
            Some(gap) => furthest = furthest.max((acceptable, rank(gap), gap)),
        }
    }
    Err(furthest.2)
}

/// The current records of a purpose, in the order in which they were made.
fn current_of(records: &[ConsentRecord], purpose: ConsentPurpose) -> Vec<(usize, &ConsentRecord)> {
    let mut last = BTreeMap::new();
    for (index, record) in records.iter().enumerate().filter(|(_, record)| record.purpose == purpose) {
        last.insert((&record.who, record.audience), (index, record));
    }
    let mut current: Vec<_> = last.into_values().collect();
    current.sort_by_key(|(index, _)| *index);
    current
}

fn shortcoming(
    record: &ConsentRecord,
    acceptable_audience: bool,
    identity_level: IdentityLevel,
    scope: &ReleaseScope<'_>,
    now: DateTime<Utc>,
) -> Option<ConsentGap> {
    let substituted = record.status == ConsentStatus::UnableReasonGiven;
    let reasoned = record.reason.as_deref().is_some_and(|reason| !reason.trim().is_empty());
    if substituted && !reasoned {
        Some(ConsentGap::Missing)
    } else if record.status == ConsentStatus::Asked {
        Some(ConsentGap::Asked)
    } else if record.status == ConsentStatus::NotAskedUnsafe {
        // Nothing was granted, so how much was granted is no question.
        Some(ConsentGap::NotAskedUnsafe)
    } else if record.status == ConsentStatus::Expired || record.expires_at.is_some_and(|at| at <= now) {
        Some(ConsentGap::Expired)
    } else if !acceptable_audience {
        Some(ConsentGap::Audience)
    } else if record.identity_level < identity_level {
        Some(ConsentGap::IdentityLevel)
    } else if is_limited(record) && !limits_permit(record, scope) {
        Some(ConsentGap::Limits)
    } else {
        None
    }
}

/// Limits hold whatever the status is called: somebody who wrote them down meant them.
fn is_limited(record: &ConsentRecord) -> bool {
    record.status == ConsentStatus::GrantedWithLimits || record.limits.is_some()
}

fn limits_permit(record: &ConsentRecord, scope: &ReleaseScope<'_>) -> bool {
    record.limits.as_ref().is_some_and(|limits| limits.permit(scope))
}

/// How far a record came before it fell short: the order of the checks above.
const fn rank(gap: ConsentGap) -> u8 {
    match gap {
        ConsentGap::Missing | ConsentGap::Refused | ConsentGap::Withdrawn => 0,
        ConsentGap::Asked | ConsentGap::NotAskedUnsafe => 1,
        ConsentGap::Expired => 2,
        ConsentGap::Audience => 3,
        ConsentGap::IdentityLevel => 4,
        ConsentGap::Limits => 5,
    }
}

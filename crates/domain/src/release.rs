//! The release gate: what may leave, and every reason why it may not.

use chrono::{DateTime, Utc};

use crate::alert::{Draft, Track};
use crate::approval::{Approval, ApprovalFault, ApprovalQuestion, weigh};
use crate::audience::Audience;
use crate::codes::{AddresseeKind, ConsentAudience, ConsentPurpose, Translation};
use crate::consent::{ConsentGap, ConsentRecord, ReleaseScope, covers};
use crate::id::{ActorId, OrganisationId};
use crate::language::LanguageTag;
use crate::text::CodeText;
use crate::tlp::Tlp;

/// Everything that a release depends on.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseQuestion<'a> {
    /// The alert as it would leave.
    pub draft: &'a Draft,
    /// The case's consent records, in the order in which they were made.
    pub consents: &'a [ConsentRecord],
    /// The decisions of approvers, in the order in which they were made.
    pub approvals: &'a [Approval],
    /// What the approvals are weighed against.
    pub approval_question: ApprovalQuestion<'a>,
    /// Whom the alert would reach.
    pub audience: &'a Audience,
}

/// A consent that a release relies on. It is stored with the release and sent with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRelied {
    /// What was consented to.
    pub purpose: ConsentPurpose,
    /// By whom.
    pub who: CodeText,
    /// For which audience.
    pub audience: ConsentAudience,
    /// Which version of the record.
    pub version: u32,
    /// Until when.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a release that the gate lets through does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasePlan {
    /// The consents that it relies on.
    pub consents: Vec<ConsentRelied>,
    /// The languages whose text leaves.
    pub languages: Vec<LanguageTag>,
    /// The people whose approvals count.
    pub approvers: Vec<ActorId>,
}

/// A reason why an alert may not leave. Its text is stable: programs may compare it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No consent covers the release.
    #[error("consent: {purpose} {gap}")]
    Consent {
        /// What consent is needed for.
        purpose: ConsentPurpose,
        /// Why there is none.
        gap: ConsentGap,
    },
    /// The label does not go with the track.
    #[error("tlp: {0}")]
    Tlp(Track),
    /// The text in the source language is missing or not reviewed.
    #[error("text: {0}")]
    Text(LanguageTag),
    /// A named organisation lacks the clearance.
    #[error("clearance: {0}")]
    Clearance(OrganisationId),
    /// Nobody would receive it.
    #[error("audience: empty")]
    AudienceEmpty,
    /// Approvals are missing or do not count.
    #[error("approval: {0}")]
    Approval(ApprovalFault),
}

/// Decides on a release. Every refusal is listed, in the order of the checks; the first one is the reason.
pub fn decide(question: &ReleaseQuestion<'_>, now: DateTime<Utc>) -> Result<ReleasePlan, Vec<Refusal>> {
    let draft = question.draft;
    let languages = draft.reviewed_languages();
    let mut refusals = Vec::new();
    let scope = ReleaseScope { organisations: &question.audience.chosen, languages: &languages };
    let consents = consents_for(question, &scope, now, &mut refusals);
    if !tlp_fits(draft) {
        refusals.push(Refusal::Tlp(draft.track));
    }
    let source = draft.texts.get(&draft.source_language);
    if source.is_none_or(|text| text.translation != Translation::Reviewed) {
        refusals.push(Refusal::Text(draft.source_language.clone()));
    }
    refusals.extend(question.audience.without_clearance.iter().cloned().map(Refusal::Clearance));
    if question.audience.chosen.is_empty() {
        refusals.push(Refusal::AudienceEmpty);
    }
    let approvers = weigh(question.approvals, &question.approval_question).unwrap_or_else(|faults| {
        refusals.extend(faults.into_iter().map(Refusal::Approval));
        Vec::new()
    });
    if refusals.is_empty() { Ok(ReleasePlan { consents, languages, approvers }) } else { Err(refusals) }
}

/// Public needs CLEAR or GREEN; members at most AMBER+STRICT; RED a named list.
fn tlp_fits(draft: &Draft) -> bool {
    let named = draft.tlp < Tlp::Red || !draft.named_partners.is_empty();
    match draft.track {
        Track::Public => draft.tlp.allows_text(),
        Track::Members => draft.tlp <= Tlp::AmberStrict,
        Track::Support | Track::Confidential => named,
    }
}

/// A consent that a track needs: any one of the purposes, for any one of the audiences.
struct Need {
    purposes: &'static [ConsentPurpose],
    audiences: &'static [ConsentAudience],
}

fn consents_for(
    question: &ReleaseQuestion<'_>,
    scope: &ReleaseScope<'_>,
    now: DateTime<Utc>,
    refusals: &mut Vec<Refusal>,
) -> Vec<ConsentRelied> {
    let mut relied = Vec::new();
    for need in needs(question.draft) {
        match covering(question, &need, scope, now) {
            Ok(record) if !relied.contains(&record) => relied.push(record),
            Err(refusal) if !refusals.contains(&refusal) => refusals.push(refusal),
            _ => {}
        }
    }
    relied
}

fn covering(
    question: &ReleaseQuestion<'_>,
    need: &Need,
    scope: &ReleaseScope<'_>,
    now: DateTime<Utc>,
) -> Result<ConsentRelied, Refusal> {
    let level = question.draft.identity_level;
    let mut told = None;
    for purpose in need.purposes {
        match covers(question.consents, *purpose, need.audiences, level, scope, now) {
            Ok(index) => {
                if let Some(record) = question.consents.get(index) {
                    return Ok(relied(record));
                }
            }
            // Of two purposes that would do, the refusal names the first that anybody was asked about.
            Err(gap) => {
                let asked = question.consents.iter().any(|record| record.purpose == *purpose);
                if asked && told.is_none() {
                    told = Some(Refusal::Consent { purpose: *purpose, gap });
                }
            }
        }
    }
    let first = need.purposes.first().copied().unwrap_or(ConsentPurpose::Store);
    Err(told.unwrap_or(Refusal::Consent { purpose: first, gap: ConsentGap::Missing }))
}

fn relied(record: &ConsentRecord) -> ConsentRelied {
    ConsentRelied {
        purpose: record.purpose,
        who: record.who.clone(),
        audience: record.audience,
        version: record.version,
        expires_at: record.expires_at,
    }
}

fn needs(draft: &Draft) -> Vec<Need> {
    match draft.track {
        Track::Members => vec![Need {
            purposes: &[ConsentPurpose::MembersAlert],
            audiences: &[ConsentAudience::SignatoryMembers, ConsentAudience::AllMembers],
        }],
        Track::Public => vec![Need {
            purposes: &[ConsentPurpose::PublicLetter, ConsentPurpose::Media],
            audiences: &[ConsentAudience::Public],
        }],
        Track::Support => {
            vec![Need { purposes: &[ConsentPurpose::ShareForSupport], audiences: &[ConsentAudience::NamedPartner] }]
        }
        Track::Confidential if draft.addressees.is_empty() => vec![need_for(AddresseeKind::State)],
        Track::Confidential => draft.addressees.iter().map(|addressee| need_for(addressee.kind)).collect(),
    }
}

/// A confidential letter needs consent for the kind of its addressee.
fn need_for(kind: AddresseeKind) -> Need {
    const AUTHORITY: &[ConsentPurpose] = &[ConsentPurpose::LetterToAuthority];
    const OTHER_ACTOR: &[ConsentPurpose] = &[ConsentPurpose::LetterToOtherActor];
    match kind {
        AddresseeKind::State => Need { purposes: AUTHORITY, audiences: &[ConsentAudience::AddresseeState] },
        AddresseeKind::Embassy => Need { purposes: AUTHORITY, audiences: &[ConsentAudience::Embassies] },
        AddresseeKind::Un | AddresseeKind::RegionalBody => {
            Need { purposes: AUTHORITY, audiences: &[ConsentAudience::UnRegional] }
        }
        AddresseeKind::Company | AddresseeKind::InvestorLender | AddresseeKind::Media | AddresseeKind::Other => {
            Need { purposes: OTHER_ACTOR, audiences: &[ConsentAudience::AddresseeCompany] }
        }
    }
}

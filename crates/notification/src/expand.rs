//! From a request to rows: who gets which notice, when, in which state. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tocsin_domain::channel::{Channel, NoticePlan, PlannedNotice, may_reach_at, plan_notices};
use tocsin_domain::id::NoticeId;
use tocsin_domain::language::LanguageTag;
use tocsin_domain::notice::NoticeState;
use tocsin_domain::priority::Lane;
use tocsin_platform::clock::to_ms;

use crate::bulletin::Bulletin;
use crate::contact::{Directory, Recipient};
use crate::entity::notice;
use crate::render::BulletinKind;

/// One contact of a request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) contact_id: String,
    pub(crate) organisation_id: String,
    pub(crate) acknowledge_token: String,
}

/// What a batch is expanded with.
pub(crate) struct Expansion<'a> {
    pub(crate) bulletin: &'a Bulletin,
    pub(crate) batch_id: &'a str,
    pub(crate) directory: &'a Directory,
    pub(crate) contacts: &'a HashMap<String, Arc<Recipient>>,
    /// Reasons of withdrawals that came first, by organisation; the empty one is for the whole alert.
    pub(crate) withdrawn: &'a HashMap<String, String>,
    pub(crate) next_channel_seconds: u32,
    pub(crate) now: DateTime<Utc>,
}

/// Why a notice of a further channel waits.
pub(crate) const NEXT_CHANNEL: &str = "next_channel";
/// A channel that is none: the notice only explains why nobody is written to.
pub(crate) const NO_CHANNEL: &str = "none";

/// The number of a lane in the table, urgent first.
pub(crate) const fn lane_number(lane: Lane) -> i16 {
    match lane {
        Lane::Urgent => 0,
        Lane::Normal => 1,
        Lane::Bulk => 2,
    }
}

impl Expansion<'_> {
    /// Every notice of the batch, at version 1.
    pub(crate) fn notices(&self, asked: &[Asked]) -> Vec<notice::Model> {
        let mut notices = Vec::with_capacity(asked.len() * 2);
        for one in asked {
            self.expand_one(one, &mut notices);
        }
        notices
    }

    fn expand_one(&self, asked: &Asked, notices: &mut Vec<notice::Model>) {
        let withdrawn = self.withdrawn.get("").or_else(|| self.withdrawn.get(&asked.organisation_id));
        let Some(contact) = self.contacts.get(&asked.contact_id) else {
            let language = self.bulletin.source_language.clone();
            // Nobody knows how to reach this contact: a person must.
            let end = self.ended(asked, &language, NO_CHANNEL, NoticeState::RejectedPermanent, "unknown_contact");
            notices.push(notice::Model { handed_to: self.coordinator(), ..end });
            return;
        };
        let language = self.bulletin.language_for(&contact.language);
        if let Some(reason) = withdrawn {
            notices.push(self.ended(asked, &language, NO_CHANNEL, NoticeState::Withdrawn, reason));
            return;
        }
        let plan = self.plan(contact);
        if plan.suppressed {
            notices.push(self.ended(asked, &language, NO_CHANNEL, NoticeState::SuppressedUnsafe, "no_safe_channel"));
            return;
        }
        let before = notices.len();
        for planned in &plan.start {
            let reason = (planned.due_at > self.now).then_some("quiet_hours");
            notices.push(self.planned(asked, contact, &language, planned, reason));
        }
        // Nobody waits for a channel that is known to have ended.
        let begins = notices.iter().skip(before).any(|one| one.next_at_ms.is_some());
        let hurried = may_reach_at(&contact.channels(), self.bulletin.facts.priority, self.now);
        for (place, planned) in plan.later.iter().enumerate() {
            let due_at = if place == 0 && !begins { hurried } else { planned.due_at };
            let planned = PlannedNotice { due_at, ..*planned };
            notices.push(self.planned(asked, contact, &language, &planned, Some(NEXT_CHANNEL)));
        }
    }

    /// Duty officers and coordinators are called on every channel at once, at any hour. A member hears that its webhook
    /// has ended on all others, when it may be reached.
    fn plan(&self, contact: &Recipient) -> NoticePlan {
        if self.bulletin.facts.kind == BulletinKind::Alert {
            let facts = &self.bulletin.facts;
            return plan_notices(&contact.channels(), facts.priority, facts.tlp, self.next_channel_seconds, self.now);
        }
        if self.bulletin.facts.kind == BulletinKind::WebhookGone {
            let due_at = may_reach_at(&contact.channels(), self.bulletin.facts.priority, self.now);
            let others = contact.channels.iter().filter(|channel| **channel != Channel::Webhook);
            let start: Vec<_> = others.map(|channel| PlannedNotice { channel: *channel, due_at }).collect();
            return NoticePlan { suppressed: start.is_empty(), start, later: Vec::new() };
        }
        let start = contact.channels.iter().map(|channel| PlannedNotice { channel: *channel, due_at: self.now });
        NoticePlan { start: start.collect(), later: Vec::new(), suppressed: contact.channels.is_empty() }
    }

    fn planned(
        &self,
        asked: &Asked,
        contact: &Recipient,
        language: &LanguageTag,
        planned: &PlannedNotice,
        reason: Option<&str>,
    ) -> notice::Model {
        let channel = planned.channel.as_str();
        if planned.channel == Channel::Webhook && contact.webhook_disabled {
            let end = self.ended(asked, language, channel, NoticeState::RejectedPermanent, "webhook_disabled");
            return notice::Model { handed_to: self.coordinator(), ..end };
        }
        notice::Model {
            destination: self.directory.destination(contact, planned.channel),
            next_at_ms: Some(to_ms(planned.due_at)),
            reason: reason.map(str::to_owned),
            ..self.blank(asked, language, channel)
        }
    }

    fn ended(
        &self,
        asked: &Asked,
        language: &LanguageTag,
        channel: &str,
        state: NoticeState,
        reason: &str,
    ) -> notice::Model {
        notice::Model {
            state: state.as_str().to_owned(),
            reason: Some(reason.to_owned()),
            ..self.blank(asked, language, channel)
        }
    }

    fn coordinator(&self) -> Option<String> {
        Some(self.bulletin.row.coordinator_name.clone()).filter(|name| !name.is_empty())
    }

    fn blank(&self, asked: &Asked, language: &LanguageTag, channel: &str) -> notice::Model {
        notice::Model {
            notice_id: NoticeId::new(self.now).as_uuid(),
            batch_id: self.batch_id.to_owned(),
            bulletin_id: self.bulletin.row.bulletin_id,
            revision: self.bulletin.row.revision,
            contact_id: asked.contact_id.clone(),
            organisation_id: asked.organisation_id.clone(),
            channel: channel.to_owned(),
            lane: self.lane(),
            destination: 0,
            language: language.to_string(),
            acknowledge_token: asked.acknowledge_token.clone(),
            state: NoticeState::Queued.as_str().to_owned(),
            reason: None,
            attempts: 0,
            next_at_ms: None,
            lease_owner: None,
            withdrawn_reason: None,
            handed_to: None,
            provider_id: None,
            version: 1,
            owed_since_ms: None,
            changed_at_ms: to_ms(self.now),
        }
    }

    /// Calls to staff are urgent whatever the case is.
    fn lane(&self) -> i16 {
        let kind = self.bulletin.facts.kind;
        let staff = matches!(kind, BulletinKind::Page | BulletinKind::Handover);
        let lane = if staff { Lane::Urgent } else { self.bulletin.facts.priority.lane() };
        lane_number(lane)
    }
}

//! Counting notices: per channel, state and language, and how far each organisation has come. Pure.

use std::collections::{BTreeMap, HashMap};

use tocsin_domain::notice::NoticeState;

use crate::entity::{notice_progress, recipient};
use crate::response::Response;

/// Numbers of one alert.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// All notices, those suppressed or deferred included.
    pub(crate) notices: u32,
    /// Distinct contacts among them; an organisation without one adds none.
    pub(crate) contacts: u32,
    /// Notices by channel; `none` is the channel of contacts left without one, and of organisations without a contact.
    pub(crate) by_channel: BTreeMap<String, u32>,
    /// Notices by state.
    pub(crate) by_state: BTreeMap<String, u32>,
    /// Notices by state, for each channel.
    pub(crate) by_state_of_channel: BTreeMap<String, BTreeMap<String, u32>>,
    /// Distinct contacts by the language of the text that they read.
    pub(crate) contacts_by_language: BTreeMap<String, u32>,
}

/// Counts the notices of one alert.
pub(crate) fn count(notices: &[notice_progress::Model]) -> Counts {
    let mut counts = Counts::default();
    let mut languages: HashMap<&str, &str> = HashMap::new();
    for notice in notices {
        counts.notices += 1;
        add_one(&mut counts.by_channel, &notice.channel);
        add_one(&mut counts.by_state, &notice.state);
        add_one(counts.by_state_of_channel.entry(notice.channel.clone()).or_default(), &notice.state);
        if !notice.contact_id.is_empty() {
            languages.insert(notice.contact_id.as_str(), notice.language.as_str());
        }
    }
    counts.contacts = u32::try_from(languages.len()).unwrap_or(u32::MAX);
    for language in languages.into_values().filter(|language| !language.is_empty()) {
        add_one(&mut counts.contacts_by_language, language);
    }
    counts
}

fn add_one(counts: &mut BTreeMap<String, u32>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => {
            counts.insert(key.to_owned(), 1);
        }
    }
}

/// How far one organisation has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OrganisationStand {
    /// The best state of any of its notices; at least acknowledged once it has answered, queued before there are any.
    pub(crate) state: NoticeState,
    /// Who must act by hand; empty unless all its notices have ended without reaching it.
    pub(crate) handed_to: String,
}

/// Weighs the notices of one organisation and its answer. Proof of arrival is better than a notice under way, and that is
/// better than one that has ended.
pub(crate) fn stand_of(recipient: &recipient::Model, notices: &[&notice_progress::Model]) -> OrganisationStand {
    let answered = recipient.response.parse::<Response>().ok().map(Response::notice_state);
    let states = notices.iter().filter_map(|notice| notice.state.parse().ok());
    let weight = |state: &NoticeState| (state.is_reached(), !state.is_end(), *state);
    let state = states.chain(answered).max_by_key(weight).unwrap_or(NoticeState::Queued);
    let newest = notices.iter().filter(|notice| !notice.handed_to.is_empty()).max_by_key(|notice| notice.at_ms);
    let handed_to = newest.filter(|_| state.is_end()).map(|notice| notice.handed_to.clone()).unwrap_or_default();
    OrganisationStand { state, handed_to }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn notice(contact: &str, channel: &str, state: NoticeState, handed_to: &str) -> notice_progress::Model {
        notice_progress::Model {
            notice_id: Uuid::now_v7(),
            alert_id: Uuid::nil(),
            contact_id: contact.to_owned(),
            organisation_id: "org-001".to_owned(),
            channel: channel.to_owned(),
            state: state.to_string(),
            language: if contact == "c2" { "ar".to_owned() } else { "en".to_owned() },
            reason: String::new(),
            at_ms: 1,
            handed_to: handed_to.to_owned(),
            due_at_ms: None,
            version: 1,
        }
    }

    fn recipient(response: &str) -> recipient::Model {
        recipient::Model {
            alert_id: Uuid::nil(),
            organisation_id: "org-001".to_owned(),
            revision: 0,
            contacts: 2,
            response: response.to_owned(),
            response_version: 0,
            responded_at_ms: None,
            responded_revision: -1,
        }
    }

    #[test]
    fn contacts_are_counted_once_and_notices_each() {
        let notices = [
            notice("c1", "email", NoticeState::Delivered, ""),
            notice("c1", "sms", NoticeState::Queued, ""),
            notice("c2", "none", NoticeState::SuppressedUnsafe, ""),
            notice("", "none", NoticeState::RejectedPermanent, "Noor"),
        ];
        let counts = count(&notices);
        assert_eq!((counts.notices, counts.contacts), (4, 2));
        let pairs = |map: &BTreeMap<String, u32>| map.iter().map(|(key, n)| format!("{key} {n}")).collect::<Vec<_>>();
        assert_eq!(pairs(&counts.by_channel), ["email 1", "none 2", "sms 1"]);
        assert_eq!(pairs(&counts.by_state), ["delivered 1", "queued 1", "rejected_permanent 1", "suppressed_unsafe 1"]);
        assert_eq!(pairs(&counts.contacts_by_language), ["ar 1", "en 1"]);
        assert_eq!(counts.by_state_of_channel.len(), 3);
    }

    #[test]
    fn an_organisation_stands_where_its_best_notice_or_answer_stands() {
        let check = |response: &str, notices: &[notice_progress::Model], state, handed_to: &str| {
            let stand = stand_of(&recipient(response), &notices.iter().collect::<Vec<_>>());
            assert_eq!(stand, OrganisationStand { state, handed_to: handed_to.to_owned() });
        };
        let failed = notice("c1", "email", NoticeState::FailedTemporary, "Noor");
        check("", &[], NoticeState::Queued, "");
        check("", std::slice::from_ref(&failed), NoticeState::FailedTemporary, "Noor");
        check("", &[failed.clone(), notice("c2", "sms", NoticeState::Queued, "")], NoticeState::Queued, "");
        check("", &[failed.clone(), notice("c2", "sms", NoticeState::Delivered, "")], NoticeState::Delivered, "");
        check("declined", std::slice::from_ref(&failed), NoticeState::Acknowledged, "");
        check("signed", &[failed], NoticeState::Acted, "");
    }
}

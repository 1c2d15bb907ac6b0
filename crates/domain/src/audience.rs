//! The audience: which organisations an alert reaches, and why each of the others does not.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::alert::Track;
use crate::codes::{DefenderGroup, code_list};
use crate::country::{CountryCode, Region, region_of};
use crate::id::OrganisationId;
use crate::priority::Priority;
use crate::tlp::Tlp;

code_list! {
    /// What an organisation is to the network.
    OrganisationKind in "organisation_kinds" { SignatoryMember = "signatory_member", Partner = "partner" }

    /// Why an organisation is not in an alert's audience.
    LeftOut in "left_out" {
        Kind = "kind", NotNamed = "not_named", Clearance = "clearance", Region = "region", Groups = "groups",
        Priority = "priority",
    }
}

/// What an organisation wants to receive. An empty list wants everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The regions it follows.
    #[serde(default)]
    pub regions: Vec<Region>,
    /// The groups of defenders it follows.
    #[serde(default)]
    pub groups: Vec<DefenderGroup>,
    /// The least urgent priority it wants.
    pub minimum_priority: Priority,
}

/// An organisation, as far as the audience depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Its id in the network's register.
    pub id: OrganisationId,
    /// Signatory member or partner.
    pub kind: OrganisationKind,
    /// Where it is.
    pub country: CountryCode,
    /// The most closed label it may receive.
    pub clearance: Tlp,
    /// What it wants to receive.
    pub subscription: Subscription,
}

/// What the audience of an alert depends on.
#[derive(Debug, Clone, Copy)]
pub struct AudienceQuestion<'a> {
    /// The alert's track.
    pub track: Track,
    /// The alert's label.
    pub tlp: Tlp,
    /// The alert's priority.
    pub priority: Priority,
    /// The alert's country.
    pub country: CountryCode,
    /// The report's groups of defenders.
    pub groups: &'a [DefenderGroup],
    /// The named list of the alert, empty if it names nobody.
    pub named: &'a [OrganisationId],
}

/// The answer: every organisation of the register is either chosen or left out for a reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// The organisations that receive the alert, in the order of the register.
    pub chosen: Vec<OrganisationId>,
    /// Named organisations that lack the clearance or that the register does not know, in the order named.
    pub without_clearance: Vec<OrganisationId>,
    /// The others, each with the first reason that leaves it out.
    pub left_out: Vec<(OrganisationId, LeftOut)>,
}

/// Chooses the audience.
///
/// Track `members` reaches signatory members, `public` signatory members and partners, `support` and `confidential`
/// only the named organisations. A named list replaces the subscription filters, never the clearance or the kind.
pub fn choose(question: &AudienceQuestion<'_>, organisations: &[Organisation]) -> Audience {
    let named: BTreeSet<&OrganisationId> = question.named.iter().collect();
    let mut audience = Audience::default();
    let mut cleared = BTreeSet::new();
    for organisation in organisations {
        if organisation.clearance >= question.tlp {
            cleared.insert(&organisation.id);
        }
        match left_out(question, &named, organisation) {
            None => audience.chosen.push(organisation.id.clone()),
            Some(reason) => audience.left_out.push((organisation.id.clone(), reason)),
        }
    }
    for id in question.named {
        if !cleared.contains(id) && !audience.without_clearance.contains(id) {
            audience.without_clearance.push(id.clone());
        }
    }
    audience
}

fn left_out(
    question: &AudienceQuestion<'_>,
    named: &BTreeSet<&OrganisationId>,
    organisation: &Organisation,
) -> Option<LeftOut> {
    let subscription = &organisation.subscription;
    let only_named = !named.is_empty() || matches!(question.track, Track::Support | Track::Confidential);
    if question.track == Track::Members && organisation.kind != OrganisationKind::SignatoryMember {
        Some(LeftOut::Kind)
    } else if only_named && !named.contains(&organisation.id) {
        Some(LeftOut::NotNamed)
    } else if organisation.clearance < question.tlp {
        Some(LeftOut::Clearance)
    } else if only_named {
        None
    } else if !follows_region(subscription, question.country) {
        Some(LeftOut::Region)
    } else if !follows_groups(subscription, question.groups) {
        Some(LeftOut::Groups)
    } else if !question.priority.is_at_least_as_urgent_as(subscription.minimum_priority) {
        Some(LeftOut::Priority)
    } else {
        None
    }
}

fn follows_region(subscription: &Subscription, country: CountryCode) -> bool {
    let regions = &subscription.regions;
    regions.is_empty() || region_of(country).is_some_and(|region| regions.contains(&region))
}

fn follows_groups(subscription: &Subscription, groups: &[DefenderGroup]) -> bool {
    subscription.groups.is_empty() || subscription.groups.iter().any(|group| groups.contains(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_track_has_its_organisations() {
        let register = [organisation("m", "signatory_member", "RED"), organisation("p", "partner", "RED")];
        check(question(Track::Members, Tlp::Amber, &[]), &register, "m", "", "p:kind");
        check(question(Track::Public, Tlp::Clear, &[]), &register, "m p", "", "");
        check(question(Track::Support, Tlp::Amber, &[]), &register, "", "", "m:not_named p:not_named");
        check(question(Track::Confidential, Tlp::Amber, &ids("p p")), &register, "p", "", "m:not_named");
        check(question(Track::Members, Tlp::Amber, &ids("p")), &register, "", "", "m:not_named p:kind");
    }

    #[test]
    fn the_clearance_is_never_replaced() {
        let register = [organisation("green", "partner", "GREEN"), organisation("red", "partner", "RED")];
        check(question(Track::Public, Tlp::Green, &[]), &register, "green red", "", "");
        check(question(Track::Public, Tlp::Amber, &[]), &register, "red", "", "green:clearance");
        let named = ids("green red unknown");
        check(question(Track::Support, Tlp::Red, &named), &register, "red", "green unknown", "green:clearance");
    }

    #[test]
    fn a_subscription_filters_unless_the_organisation_is_named() {
        let subscribed = |regions: &[Region], groups: &[DefenderGroup], minimum_priority| {
            let mut organisation = organisation("m", "signatory_member", "RED");
            organisation.subscription =
                Subscription { regions: regions.to_vec(), groups: groups.to_vec(), minimum_priority };
            [organisation]
        };
        let africa = [Region::Mena, Region::Africa];
        let lawyers = [DefenderGroup::Lawyer];
        for (register, expected) in [
            (subscribed(&africa, &lawyers, Priority::P2), None),
            (subscribed(&[Region::Asia], &[], Priority::P4), Some("m:region")),
            (subscribed(&africa, &[DefenderGroup::Housing], Priority::P4), Some("m:groups")),
            (subscribed(&[], &[], Priority::P1), Some("m:priority")),
        ] {
            let chosen = if expected.is_some() { "" } else { "m" };
            check(question(Track::Members, Tlp::Amber, &[]), &register, chosen, "", expected.unwrap_or(""));
            check(question(Track::Members, Tlp::Amber, &ids("m")), &register, "m", "", "");
        }
    }

    fn check(question: AudienceQuestion<'_>, register: &[Organisation], chosen: &str, without: &str, left_out: &str) {
        let audience = choose(&question, register);
        assert_eq!(audience.chosen, ids(chosen));
        assert_eq!(audience.without_clearance, ids(without));
        let reasons: Vec<_> = audience.left_out.iter().map(|(id, reason)| format!("{id}:{reason}")).collect();
        assert_eq!(reasons.join(" "), left_out);
    }

    fn question(track: Track, tlp: Tlp, named: &[OrganisationId]) -> AudienceQuestion<'_> {
        let country = "XA".parse().unwrap();
        AudienceQuestion { track, tlp, priority: Priority::P2, country, groups: &[DefenderGroup::Lawyer], named }
    }

    fn organisation(id: &str, kind: &str, clearance: &str) -> Organisation {
        Organisation {
            id: id.parse().unwrap(),
            kind: kind.parse().unwrap(),
            country: "XA".parse().unwrap(),
            clearance: clearance.parse().unwrap(),
            subscription: Subscription { regions: vec![], groups: vec![], minimum_priority: Priority::P4 },
        }
    }

    fn ids(text: &str) -> Vec<OrganisationId> {
        text.split_whitespace().map(|id| id.parse().unwrap()).collect()
    }
}

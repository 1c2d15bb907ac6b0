//! The catalogue of events: every fact that crosses a service's border, who says it and who must act on it.
//!
//! The outbox writes one `outbox_owed` row for each consumer named here, the bus derives subjects, streams and durable
//! consumers from it, and nothing else in the house spells a subject.

use std::fmt;
use std::str::FromStr;

/// One of the four services. Its text form is the name of its database, role, subjects and consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Takes reports in and talks back to the reporter.
    Intake,
    /// Cases, verification, consent and approvals: the release gate.
    Triage,
    /// Organisations, audience, the feed, responses and coverage.
    Dispatch,
    /// Contact points, channels, attempts and receipts.
    Notification,
}

impl Service {
    /// Every service, in the order in which a report passes through them.
    pub const ALL: [Self; 4] = [Self::Intake, Self::Triage, Self::Dispatch, Self::Notification];

    /// The lower-case name, as in subjects and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Triage => "triage",
            Self::Dispatch => "dispatch",
            Self::Notification => "notification",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The name given is none of the four services.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no service `{given}`: use intake, triage, dispatch or notification")]
pub struct UnknownService {
    /// What was given instead.
    pub given: String,
}

impl FromStr for Service {
    type Err = UnknownService;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|service| service.as_str() == text)
            .ok_or_else(|| UnknownService { given: text.escape_default().take(40).collect() })
    }
}

/// The three lanes of the bus: urgent overtakes the others everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// P1 and P2.
    Urgent,
    /// P3, and facts that belong to no alert.
    Normal,
    /// P4, reminders and digests.
    Bulk,
}

impl Lane {
    /// Every lane, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Normal, Self::Bulk];

    /// The lower-case name, the last token of a subject.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Normal => "normal",
            Self::Bulk => "bulk",
        }
    }
}

impl FromStr for Lane {
    type Err = UnknownLane;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|lane| lane.as_str() == text)
            .ok_or_else(|| UnknownLane { given: text.escape_default().take(40).collect() })
    }
}

/// The name given is none of the three lanes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("there is no lane `{given}`: use urgent, normal or bulk")]
pub struct UnknownLane {
    /// What was given instead.
    pub given: String,
}

/// One kind of event: a fact, named in the past tense.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct EventKind {
    /// `noun.verb`; the `CloudEvents` type is `tocsin.v1.` followed by it.
    pub name: &'static str,
    /// The only service that may say it.
    pub producer: Service,
    /// The services that must act on it; each settles it separately.
    pub consumers: &'static [Service],
}

impl EventKind {
    /// The subject on the bus, for instance `tocsin.v1.report.received.urgent`.
    pub fn subject(&self, lane: Lane) -> String {
        format!("tocsin.v1.{}.{}", self.name, lane.as_str())
    }

    /// The `CloudEvents` type, for instance `tocsin.v1.report.received`.
    pub fn cloud_events_type(&self) -> String {
        format!("tocsin.v1.{}", self.name)
    }
}

/// A service's public sealing key, said at start and after each rotation, so that others can seal to it.
pub const TRIAGE_KEY_PUBLISHED: EventKind =
    EventKind { name: "triage_key.published", producer: Service::Triage, consumers: &[Service::Intake] };
/// dispatch's public sealing key: triage seals released texts to it.
pub const DISPATCH_KEY_PUBLISHED: EventKind =
    EventKind { name: "dispatch_key.published", producer: Service::Dispatch, consumers: &[Service::Triage] };
/// notification's public sealing key: dispatch seals CLEAR and GREEN texts to it.
pub const NOTIFICATION_KEY_PUBLISHED: EventKind =
    EventKind { name: "notification_key.published", producer: Service::Notification, consumers: &[Service::Dispatch] };
/// A report was accepted durably; its content is sealed to triage.
pub const REPORT_RECEIVED: EventKind =
    EventKind { name: "report.received", producer: Service::Intake, consumers: &[Service::Triage] };
/// The reporter added something to a report; sealed to triage.
pub const MESSAGE_RECEIVED: EventKind =
    EventKind { name: "message.received", producer: Service::Intake, consumers: &[Service::Triage] };
/// The network answered the reporter, or the case moved; sealed to the reporter's receipt key.
pub const ANSWER_RECORDED: EventKind =
    EventKind { name: "answer.recorded", producer: Service::Triage, consumers: &[Service::Intake] };
/// Duty officers must be called: a pointer only.
pub const PAGE_REQUESTED: EventKind =
    EventKind { name: "page.requested", producer: Service::Triage, consumers: &[Service::Notification] };
/// Two people approved and one released an alert; its texts are sealed to dispatch.
pub const ALERT_RELEASED: EventKind =
    EventKind { name: "alert.released", producer: Service::Triage, consumers: &[Service::Dispatch] };
/// The alert was stopped or its consent withdrawn: stop the queue and recall.
pub const ALERT_WITHDRAWN: EventKind =
    EventKind { name: "alert.withdrawn", producer: Service::Triage, consumers: &[Service::Dispatch] };
/// A batch of contacts should be reached with one revision of an alert.
pub const NOTICES_REQUESTED: EventKind =
    EventKind { name: "notices.requested", producer: Service::Dispatch, consumers: &[Service::Notification] };
/// Contacts need no further notice: acknowledged by their organisation, or the alert was withdrawn.
pub const NOTICES_WITHDRAWN: EventKind =
    EventKind { name: "notices.withdrawn", producer: Service::Dispatch, consumers: &[Service::Notification] };
/// How far a batch of notices has come.
pub const NOTICES_PROGRESSED: EventKind =
    EventKind { name: "notices.progressed", producer: Service::Notification, consumers: &[Service::Dispatch] };
/// A contact answered a notice on its own channel, as by SMS: it acknowledges for its organisation.
pub const REPLY_RECEIVED: EventKind =
    EventKind { name: "reply.received", producer: Service::Notification, consumers: &[Service::Dispatch] };
/// An organisation answered an alert.
pub const RESPONSE_RECORDED: EventKind =
    EventKind { name: "response.recorded", producer: Service::Dispatch, consumers: &[Service::Triage] };

/// Every kind of event in the house.
pub const CATALOGUE: &[&EventKind] = &[
    &TRIAGE_KEY_PUBLISHED,
    &DISPATCH_KEY_PUBLISHED,
    &NOTIFICATION_KEY_PUBLISHED,
    &REPORT_RECEIVED,
    &MESSAGE_RECEIVED,
    &ANSWER_RECORDED,
    &PAGE_REQUESTED,
    &ALERT_RELEASED,
    &ALERT_WITHDRAWN,
    &NOTICES_REQUESTED,
    &NOTICES_WITHDRAWN,
    &NOTICES_PROGRESSED,
    &REPLY_RECEIVED,
    &RESPONSE_RECORDED,
];

/// The kind with this name, as in the `ce-type` header without its `tocsin.v1.` prefix.
pub fn kind_named(name: &str) -> Option<&'static EventKind> {
    CATALOGUE.iter().find(|kind| kind.name == name).copied()
}

/// The kinds that `service` must act on.
pub fn consumed_by(service: Service) -> impl Iterator<Item = &'static EventKind> {
    CATALOGUE.iter().filter(move |kind| kind.consumers.contains(&service)).copied()
}

/// The kinds that `service` may say.
pub fn produced_by(service: Service) -> impl Iterator<Item = &'static EventKind> {
    CATALOGUE.iter().filter(move |kind| kind.producer == service).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_two_tokens() {
        let mut names: Vec<_> = CATALOGUE.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CATALOGUE.len());
        assert!(names.iter().all(|name| name.split('.').count() == 2));
    }

    #[test]
    fn nobody_consumes_its_own_events_and_every_event_has_a_consumer() {
        for kind in CATALOGUE {
            assert!(!kind.consumers.is_empty(), "{} has no consumer", kind.name);
            assert!(!kind.consumers.contains(&kind.producer), "{} is consumed by its producer", kind.name);
            assert_eq!(kind_named(kind.name), Some(*kind));
        }
    }
}

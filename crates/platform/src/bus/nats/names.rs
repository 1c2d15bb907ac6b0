//! The names of streams, consumers and subjects: whole tokens, because permissions compare whole tokens.

use tocsin_proto::catalogue::{Lane, Service};

use super::super::advisory::AdvisoryKind;

/// The stream of a producing service, for instance `TOCSIN_INTAKE`.
pub(super) fn stream(producer: Service) -> String {
    format!("TOCSIN_{}", producer.as_str().to_ascii_uppercase())
}

/// The durable consumer of a service, for instance `triage-on-intake-urgent`.
pub(super) fn consumer(consumer: Service, producer: Service, lane: Lane) -> String {
    format!("{consumer}-on-{producer}-{}", lane.as_str())
}

/// The subject on which consumers settle with a producer, whose replicas share it as a queue group.
pub(super) fn settle(producer: Service) -> String {
    format!("tocsin.v1.settle.{producer}")
}

/// Where answers to a service's questions arrive: a prefix of its own, so that no service can read another's.
pub(super) fn inbox(service: Service) -> String {
    format!("_INBOX_TOCSIN_{}", service.as_str().to_ascii_uppercase())
}

/// What the broker says about one of our consumers: that it gave up on a delivery, or that somebody ended one for good.
pub(super) fn advisory(kind: AdvisoryKind, stream: &str, consumer: &str) -> String {
    let kind = match kind {
        AdvisoryKind::MaxDeliveries => "MAX_DELIVERIES",
        AdvisoryKind::Terminated => "MSG_TERMINATED",
    };
    format!("$JS.EVENT.ADVISORY.CONSUMER.{kind}.{stream}.{consumer}")
}

//! Advisories: JSON messages of the broker on subjects that name stream and consumer.

use async_nats::Subscriber;
use futures::StreamExt;
use futures::stream::SelectAll;
use serde::Deserialize;
use tocsin_proto::catalogue::{Lane, Service};
use tracing::debug;

use super::super::BusError;
use super::super::advisory::{Advisory, AdvisoryKind};
use super::{durable, names};

/// The advisories about the consumers of one service.
#[derive(Debug)]
pub(crate) struct Advisories {
    messages: SelectAll<Subscriber>,
}

/// The parts of the broker's JSON that say which delivery it was. A reason that somebody wrote is left out.
#[derive(Debug, Deserialize)]
struct Said {
    stream: String,
    consumer: String,
    stream_seq: i64,
    #[serde(default)]
    deliveries: i64,
}

impl Advisories {
    pub(super) async fn subscribe(client: &async_nats::Client, consumer: Service) -> Result<Self, BusError> {
        let mut messages = SelectAll::new();
        for producer in durable::producers(consumer) {
            for lane in Lane::ALL {
                for kind in AdvisoryKind::ALL {
                    let (stream, durable) = (names::stream(producer), names::consumer(consumer, producer, lane));
                    let subject = names::advisory(kind, &stream, &durable);
                    let subscribed = client.queue_subscribe(subject, consumer.to_string()).await;
                    messages.push(subscribed.map_err(|source| BusError::Subscribe { source })?);
                }
            }
        }
        Ok(Self { messages })
    }

    pub(in crate::bus) async fn next(&mut self) -> Advisory {
        loop {
            let Some(message) = self.messages.next().await else { return std::future::pending().await };
            if let Some(advisory) = read(&message.subject, &message.payload) {
                return advisory;
            }
            debug!("an advisory of the broker could not be read");
        }
    }
}

fn read(subject: &str, payload: &[u8]) -> Option<Advisory> {
    let said: Said = serde_json::from_slice(payload).ok()?;
    // The subject was ours, so the names in it are too: a text that says otherwise is not the broker's.
    let is_subject = |kind: &AdvisoryKind| subject == names::advisory(*kind, &said.stream, &said.consumer);
    let kind = AdvisoryKind::ALL.into_iter().find(is_subject)?;
    Some(Advisory {
        kind,
        stream: said.stream,
        consumer: said.consumer,
        stream_sequence: said.stream_seq,
        deliveries: said.deliveries,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advisory_is_read_and_a_foreign_text_is_not() {
        let subject = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.TOCSIN_INTAKE.triage-on-intake-urgent";
        let payload =
            br#"{"type":"io.nats.jetstream.advisory.v1.max_deliver","id":"x","timestamp":"2026-01-01T00:00:00Z",
            "stream":"TOCSIN_INTAKE","consumer":"triage-on-intake-urgent","stream_seq":7,"deliveries":3}"#;
        let read_well = read(subject, payload).unwrap();
        assert_eq!((read_well.kind, read_well.stream_sequence), (AdvisoryKind::MaxDeliveries, 7));
        assert_eq!(read_well.deliveries, 3);
        assert_eq!(read(subject, b"{}"), None);
        assert_eq!(read(&subject.replace("INTAKE", "TRIAGE"), payload), None);
    }
}

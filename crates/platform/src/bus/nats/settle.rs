//! Settlements over core NATS: small messages that name one consumer and many events.
//!
//! The bytes: 1 (the version), the length of the consumer's name, the name, then 16 bytes for each event id. Losing
//! such a message only costs a repeated delivery.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::Service;
use tokio::sync::mpsc;
use tracing::warn;
use uuid::Uuid;

use super::super::{BusError, Settlement};
use super::names;

const VERSION: u8 = 1;
/// The most events in one message: 8 KiB.
const BATCH_MAX: usize = 512;

/// Sends what waits, in batches without added delay: while one batch is written the next gathers.
pub(super) async fn send(client: async_nats::Client, mut receiver: mpsc::Receiver<(Service, Settlement)>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while receiver.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let mut grouped: HashMap<(Service, Service), Vec<EventId>> = HashMap::new();
        for (producer, settlement) in batch.drain(..) {
            grouped.entry((producer, settlement.consumer)).or_default().push(settlement.event_id);
        }
        for ((producer, consumer), events) in grouped {
            // A failure means that the client is closed or the broker away; the events will come again.
            let _ = client.publish(names::settle(producer), encode(consumer, &events)).await;
        }
    }
}

fn encode(consumer: Service, events: &[EventId]) -> Bytes {
    let name = consumer.as_str().as_bytes();
    let mut bytes = BytesMut::with_capacity(2 + name.len() + 16 * events.len());
    bytes.put_u8(VERSION);
    // The longest name of a service has twelve letters.
    bytes.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
    bytes.put_slice(name);
    for event in events {
        bytes.put_slice(event.as_uuid().as_bytes());
    }
    bytes.freeze()
}

fn decode(bytes: &[u8]) -> Option<Vec<Settlement>> {
    let (&[version, length], rest) = bytes.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(length))?;
    let consumer = std::str::from_utf8(name).ok()?.parse::<Service>().ok()?;
    let (events, remainder) = rest.as_chunks::<16>();
    if version != VERSION || !remainder.is_empty() || events.len() > BATCH_MAX {
        return None;
    }
    let settlement = |id: &[u8; 16]| Settlement { event_id: EventId::from_uuid(Uuid::from_bytes(*id)), consumer };
    Some(events.iter().map(settlement).collect())
}

/// The settlements that arrive at one producer; its replicas share them.
#[derive(Debug)]
pub(crate) struct Settled {
    subscriber: async_nats::Subscriber,
}

impl Settled {
    pub(super) async fn subscribe(client: &async_nats::Client, producer: Service) -> Result<Self, BusError> {
        let subscribed = client.queue_subscribe(names::settle(producer), producer.to_string()).await;
        subscribed.map(|subscriber| Self { subscriber }).map_err(|source| BusError::Subscribe { source })
    }

    /// Up to `limit` settlements and the rest of the message that went over it.
    pub(in crate::bus) async fn next(&mut self, limit: usize) -> Vec<Settlement> {
        let mut batch = Vec::new();
        let Some(first) = self.subscriber.next().await else { return batch };
        take(&first.payload, &mut batch);
        while batch.len() < limit {
            match futures::FutureExt::now_or_never(self.subscriber.next()) {
                Some(Some(message)) => take(&message.payload, &mut batch),
                _ => break,
            }
        }
        batch
    }
}

fn take(payload: &[u8], batch: &mut Vec<Settlement>) {
    if let Some(settlements) = decode(payload) {
        batch.extend(settlements);
    } else {
        warn!("a settlement could not be read and was ignored; its events will come again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settlements_survive_and_damage_is_noticed() {
        let events: Vec<EventId> = (0..3u8).map(|byte| EventId::from_uuid(Uuid::from_bytes([byte; 16]))).collect();
        let bytes = encode(Service::Triage, &events);
        let decoded: Vec<EventId> = decode(&bytes).unwrap().iter().map(|settled| settled.event_id).collect();
        assert_eq!(decoded, events);
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode(&[1, 200, b'x']), None);
        assert_eq!(decode(&[2, 6, b't', b'r', b'i', b'a', b'g', b'e']), None);
        assert_eq!(decode(&[1, 3, b'c', b'a', b't']), None);
        assert_eq!(decode(&[]), None);
    }
}

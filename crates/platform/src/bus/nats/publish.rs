//! Publishing: a whole batch with all acknowledgements in flight at once, except events that the broker would not take.

use std::collections::HashSet;
use std::sync::Mutex;

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishAckFuture, PublishError};
use async_nats::jetstream::message::PublishMessage;
use tocsin_domain::id::EventId;
use tracing::{error, warn};

use super::super::{Claim, Placement, Publication, headers};
use super::NatsBus;

/// Events that the log has named as too large; beyond it they are named again.
const NAMED_MAX: usize = 1_000;

/// The events that the log has named as too large.
#[derive(Debug, Default)]
pub(super) struct TooLarge {
    named: Mutex<HashSet<EventId>>,
}

impl TooLarge {
    fn is_new(&self, event: EventId) -> bool {
        let Ok(mut named) = self.named.lock() else { return false };
        if named.len() >= NAMED_MAX {
            named.clear();
        }
        named.insert(event)
    }
}

impl NatsBus {
    /// Publishes a batch.
    pub(in crate::bus) async fn publish(&self, batch: &[Publication]) -> Vec<Vec<Placement>> {
        // Messages written while disconnected would pile up in the client; the outbox keeps them better.
        let epoch = if self.is_connected() { self.stream.incarnation().await } else { None };
        let Some(epoch) = epoch else {
            return batch.iter().map(|publication| vec![Placement::Refused; publication.consumers.len()]).collect();
        };
        let mut waiting = Vec::with_capacity(batch.len());
        let limit = self.message_bytes_max();
        for publication in batch {
            waiting.push(self.send(publication, limit).await);
        }
        // Together, because each has a time limit that begins when it is first asked.
        let placements = waiting.into_iter().map(async |sent| match sent {
            Sent::TooLarge => Ok(Placement::TooLarge),
            // An acknowledgement of a duplicate says where the first copy stands: that is stored too.
            Sent::Waiting(acknowledged) => acknowledged.await.map(|stored| {
                Placement::Held(Claim { epoch, sequence: i64::try_from(stored.sequence).unwrap_or(i64::MAX) })
            }),
            Sent::Failed(error) => Err(error),
        });
        let mut failed = None;
        let mut outcomes = Vec::with_capacity(batch.len());
        for (publication, placement) in batch.iter().zip(futures::future::join_all(placements).await) {
            let placement = placement.unwrap_or_else(|error| {
                failed = Some(error.kind());
                Placement::Refused
            });
            outcomes.push(vec![placement; publication.consumers.len()]);
        }
        if let Some(kind) = failed {
            self.stream.doubt();
            warn!(service = %self.service, reason = %kind, "the broker did not take all events; they will be published again");
        }
        outcomes
    }

    async fn send(&self, publication: &Publication, limit: Option<u64>) -> Sent {
        let envelope = &publication.envelope;
        let headers = headers::encode(envelope, publication.generation);
        let bytes = message_bytes(&headers, envelope.payload.len());
        // A server cuts the connection on a larger message, and with it everything that is under way.
        if let Some(limit) = limit
            && bytes > limit
        {
            if self.too_large.is_new(envelope.id) {
                error!(service = %self.service, event = envelope.kind.name, event_id = %envelope.id, count = bytes, limit, "an event is larger than the broker takes and waits: raise max_payload in the broker's configuration to at least `count`");
            }
            return Sent::TooLarge;
        }
        let message = PublishMessage::build().payload(envelope.payload.clone()).headers(headers);
        match self.context.send_publish(envelope.kind.subject(envelope.lane), message).await {
            Ok(acknowledged) => Sent::Waiting(acknowledged),
            Err(error) => Sent::Failed(error),
        }
    }

    /// The largest message that the broker takes, headers included; nothing before it was ever reached.
    pub(super) fn message_bytes_max(&self) -> Option<u64> {
        u64::try_from(self.client.server_info().max_payload).ok().filter(|limit| *limit > 0)
    }
}

enum Sent {
    Waiting(PublishAckFuture),
    Failed(PublishError),
    TooLarge,
}

/// How large a message is to the server: a line with the protocol's version, a line for each header, an empty line, and
/// the payload.
pub(in crate::bus) fn message_bytes(headers: &HeaderMap, payload: usize) -> u64 {
    let mut bytes = "NATS/1.0\r\n\r\n".len() + payload;
    for (name, values) in headers.iter() {
        for value in values {
            bytes += AsRef::<str>::as_ref(name).len() + ": \r\n".len() + value.as_str().len();
        }
    }
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

//! `GetBus`: what the broker has of this service, what is owed to whom, and what needs a person.

use tocsin_domain::role::Action;
use tocsin_proto::operations::v1 as wire;
use tonic::Request;

use super::OperationsDoor;
use crate::bus::{BusState, ConsumerState, Drift, StreamState};
use crate::consume::{advisories, dead_letters};
use crate::failure::Failure;
use crate::outbox::{OwedByConsumer, TooLargeEvent};

/// Looks at the bus.
pub(super) async fn get_bus(
    door: &OperationsDoor,
    request: Request<wire::GetBusRequest>,
) -> Result<wire::GetBusResponse, Failure> {
    door.credentials.require_action(request.metadata(), Action::ReadQueues).await?;
    let state = door.outbox.bus_state().await;
    let oversize = match state.message_bytes_max {
        Some(limit) => door.outbox.too_large(limit).await?,
        None => Vec::new(),
    };
    let owed = door.outbox.lag_by_consumer().await?;
    let reader = door.database.reader();
    let (dead_letters, advisories) = (dead_letters::count(reader).await?, advisories::count(reader).await?);
    let BusState { connected, in_process, stream, consumers, message_bytes_max } = state;
    Ok(wire::GetBusResponse {
        service: door.service.to_string(),
        kind: if in_process { "in_process" } else { "nats" }.to_owned(),
        connected,
        stream: stream.map(stream_to_wire),
        consumers: consumers.into_iter().map(consumer_to_wire).collect(),
        owed: owed.into_iter().map(owed_to_wire).collect(),
        dead_letters,
        advisories,
        oversize_events: oversize.into_iter().map(oversize_to_wire).collect(),
        message_bytes_max: message_bytes_max.unwrap_or(0),
    })
}

fn stream_to_wire(stream: StreamState) -> wire::Stream {
    let StreamState { name, exists, messages, bytes, drift } = stream;
    wire::Stream { name, exists, messages, bytes, drift: drift_to_wire(drift) }
}

fn consumer_to_wire(consumer: ConsumerState) -> wire::Consumer {
    let ConsumerState { name, producer, lane, exists, waiting, unanswered, drift } = consumer;
    wire::Consumer {
        name,
        producer: producer.to_string(),
        lane: lane.as_str().to_owned(),
        exists,
        waiting,
        unanswered,
        drift: drift_to_wire(drift),
    }
}

fn drift_to_wire(drift: Vec<Drift>) -> Vec<wire::Drift> {
    let one =
        |drift: Drift| wire::Drift { setting: drift.setting.to_owned(), found: drift.found, wanted: drift.wanted };
    drift.into_iter().map(one).collect()
}

fn owed_to_wire(owed: OwedByConsumer) -> wire::Owed {
    let oldest_seconds = u64::try_from(owed.oldest_ms / 1000).unwrap_or(0);
    wire::Owed { consumer: owed.consumer, events: owed.owed, oldest_seconds }
}

fn oversize_to_wire(event: TooLargeEvent) -> wire::OversizeEvent {
    wire::OversizeEvent { event_id: event.event_id.to_string(), kind: event.kind, bytes: event.bytes }
}

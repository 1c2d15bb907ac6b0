//! An event as the bus carries it.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tocsin_domain::id::EventId;
use tocsin_proto::catalogue::{EventKind, Lane};

/// An event and what is known about it outside its payload: nothing personal, ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The `CloudEvents` id, the same in every copy.
    pub(crate) id: EventId,
    pub(crate) kind: &'static EventKind,
    pub(crate) lane: Lane,
    /// The opaque id of what changed; the `CloudEvents` subject.
    pub(crate) aggregate: String,
    /// The version of what changed; a higher one replaces a lower one.
    pub(crate) version: i64,
    /// When it happened.
    pub(crate) at: DateTime<Utc>,
    /// Protobuf.
    pub(crate) payload: Bytes,
    /// W3C trace context.
    pub(crate) traceparent: Option<String>,
}

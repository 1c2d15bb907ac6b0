//! What the broker says about deliveries that it will not make again. Nothing is lost by it, because the outbox
//! publishes again; but it never happens with consumers as we make them, so a person must see it.

use std::fmt;

use super::nats;

/// Why the broker will not deliver again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdvisoryKind {
    /// It was delivered as often as the consumer permits.
    MaxDeliveries,
    /// Somebody ended it for good.
    Terminated,
}

impl AdvisoryKind {
    /// Both of them.
    pub(crate) const ALL: [Self; 2] = [Self::MaxDeliveries, Self::Terminated];

    /// The name in tables and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxDeliveries => "max_deliveries",
            Self::Terminated => "terminated",
        }
    }
}

impl fmt::Display for AdvisoryKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One word of the broker about one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advisory {
    pub(crate) kind: AdvisoryKind,
    pub(crate) stream: String,
    pub(crate) consumer: String,
    /// Where the message stands in the stream.
    pub(crate) stream_sequence: i64,
    /// How often it was delivered.
    pub(crate) deliveries: i64,
}

/// The advisories about the consumers of one service; its replicas share them.
#[derive(Debug)]
pub(crate) enum Advisories {
    /// Within one process nothing is given up.
    None,
    Nats(nats::Advisories),
}

impl Advisories {
    /// Waits for the next one. It may be dropped while waiting.
    pub(crate) async fn next(&mut self) -> Advisory {
        match self {
            Self::None => std::future::pending().await,
            Self::Nats(advisories) => advisories.next().await,
        }
    }
}

//! What a consumer receives, and its three answers: done, not now, still working.

use std::sync::Arc;
use std::time::Duration;

use super::envelope::Envelope;
use super::{in_process, nats};

/// The deliveries for one consumer and lane.
#[derive(Debug)]
pub(crate) enum Subscription {
    InProcess(in_process::Receiver),
    Nats(nats::Receiver),
}

impl Subscription {
    /// Waits for the next delivery. It waits for as long as the broker is away, and may be dropped while waiting.
    pub(crate) async fn next(&mut self) -> Delivery {
        match self {
            Self::InProcess(receiver) => receiver.next().await,
            Self::Nats(receiver) => receiver.next().await,
        }
    }

    /// Ends the subscription; what has arrived is given back and comes again after the delay, here or elsewhere.
    pub(crate) async fn close(self, delay: Duration) {
        match self {
            Self::InProcess(receiver) => {
                while let Some(delivery) = receiver.arrived() {
                    delivery.nak(delay).await;
                }
            }
            Self::Nats(receiver) => receiver.close(delay).await,
        }
    }

    /// A delivery that is here already, if there is one.
    pub(crate) fn arrived(&mut self) -> Option<Delivery> {
        match self {
            Self::InProcess(receiver) => receiver.arrived(),
            Self::Nats(receiver) => receiver.arrived(),
        }
    }
}

/// One copy of an event. One that is dropped without an answer comes again.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) envelope: Arc<Envelope>,
    /// How many times the broker has delivered it, this time included. It also grows when nobody is at fault.
    pub(crate) delivered: u32,
    pub(crate) reply: Reply,
}

/// The way back to the broker.
#[derive(Debug)]
pub(crate) enum Reply {
    InProcess(in_process::Ticket),
    Nats(nats::Ticket),
}

impl Delivery {
    /// The effects are committed: this copy is done with.
    pub(crate) async fn ack(self) {
        match self.reply {
            Reply::InProcess(ticket) => ticket.ack(),
            Reply::Nats(ticket) => ticket.ack().await,
        }
    }

    /// Not now: it comes again after the delay.
    pub(crate) async fn nak(self, delay: Duration) {
        match self.reply {
            Reply::InProcess(ticket) => ticket.nak(delay),
            Reply::Nats(ticket) => ticket.nak(delay).await,
        }
    }

    /// Still working or waiting: the broker must not deliver it elsewhere meanwhile.
    pub(crate) async fn progress(&self) {
        match &self.reply {
            Reply::InProcess(_) => {}
            Reply::Nats(ticket) => ticket.progress().await,
        }
    }
}
